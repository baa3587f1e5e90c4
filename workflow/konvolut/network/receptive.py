"""Which input pixels a cell of a feature map can depend on, followed below every operation of a forward pass.

It needs no knowledge of architectures. What mixes all of space (attention, squeeze-excite gates, group norms, global
pools) or is unknown to the rules of fields.py gets the whole input: the field is never too small.
"""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakIdKeyDictionary

from konvolut.network.fields import OTHER, RULES, WHOLE, Field, X, Y, pointwise


class FieldTracker(TorchDispatchMode):
    """Follows the fields of all tensors computed from `inputs` (B, C, H, W) while it is entered.

    Use it under torch.inference_mode, where composite operations arrive in one piece. It also notes which storages
    were changed in place and when (`clock` counts operations), to find layers whose output does not last.
    """

    def __init__(self, inputs: Tensor) -> None:
        super().__init__()
        batch, channels, height, width = inputs.shape
        self.fields = WeakIdKeyDictionary()
        self.fields[inputs] = Field((((OTHER, batch),), ((OTHER, channels),), ((Y, height),), ((X, width),)))
        self.clock = 0
        self.changed_at: dict[int, int] = {}
        self._smeared: dict[int, Tensor] = {}  # storages written in part by other fields; tensors keep the ids alive

    def field_of(self, tensor: Tensor) -> Field | None:
        """The tensor's field, None where it does not depend on the input."""
        return WHOLE if _storage(tensor) in self._smeared else self.fields.get(tensor)

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        rule = RULES.get(func.overloadpacket, pointwise if torch.Tag.pointwise in func.tags else None)
        if rule is None:
            with self:
                result = func.decompose(*args, **kwargs)
            if result is not NotImplemented:
                return result
        result = func(*args, **kwargs)
        self.clock += 1
        outputs = [leaf for leaf in tree_leaves(result) if isinstance(leaf, Tensor)]
        given = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        fields = [field for field in map(self.field_of, given) if field is not None]
        for output in outputs:
            if fields:
                self._note(output, self._derive(rule, fields, args, output), changed=func._schema.is_mutable)
        if func._schema.is_mutable and given:
            self.changed_at[_storage(given[0])] = self.clock
        return result

    def _derive(self, rule: Callable | None, fields: Sequence[Field], args: tuple, output: Tensor) -> Field:
        if rule is None or WHOLE in fields:
            return WHOLE
        try:
            field = rule(fields, args, tuple(output.shape))
        except (IndexError, ValueError, TypeError, AttributeError):  # a call in a form that the rule does not know
            field = None
        known = field is not None and field.dims is not None
        fits = known and [math.prod(n for _, n in dim) for dim in field.dims] == list(output.shape)
        return field if fits else WHOLE

    def _note(self, output: Tensor, field: Field, *, changed: bool) -> None:
        is_part = output.numel() * output.element_size() < output.untyped_storage().nbytes()
        if changed and is_part and self.field_of(output) != field:
            self._smeared[_storage(output)] = output
        self.fields[output] = field


def _storage(tensor: Tensor) -> int:
    return tensor.untyped_storage()._cdata
