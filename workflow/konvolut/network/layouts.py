"""Where batch, channels, rows and columns are in what a module puts out, found from shapes and kinds of modules.

The names of the layouts are record.py's. A guess that could be wrong is refused with a reason instead.
"""

import math

from torch import Tensor, nn

CHANNELS_FIRST = (nn.Conv2d, nn.BatchNorm2d, nn.GroupNorm, nn.MaxPool2d, nn.AvgPool2d)
CHANNELS_LAST = (nn.Linear, nn.LayerNorm)
ATTENTION_PARTS = (nn.Dropout, nn.Softmax, nn.Identity)
COARSEST_GRID = 64  # the largest stride of a timm 1.0 stage
PREFIXES = (0, 1, 2)  # class and distillation tokens of models that do not say how many they have (PiT, CoaT)


class Layouts:
    """Describes outputs of one network for a batch of two pictures at its own input size."""

    def __init__(self, network) -> None:
        self.modules = dict(network.module.named_modules())
        self.input_hw = tuple(network.data.input_size[1:])
        self.prefix_tokens = network.prefix_tokens
        self.own_grid = getattr(getattr(network.module, "patch_embed", None), "grid_size", None)
        self.grids = self._token_grids()
        self.latest = "bchw"

    def describe(self, name: str, module: nn.Module, output: object) -> dict:
        """layout, channels, height, width and refused ("" or why it has no units) of one output."""
        found, reason = self._find(name, module, output)
        if found is None:
            return {"layout": "", "channels": 0, "height": 0, "width": 0, "refused": reason}
        layout, channels, height, width = found
        if layout in ("bchw", "bhwc") and height > 1:
            self.latest = layout
            self.grids += [(height, width)] if (height, width) not in self.grids else []
        return {"layout": layout, "channels": channels, "height": height, "width": width, "refused": ""}

    def _find(self, name: str, module: nn.Module, output: object) -> tuple[tuple | None, str]:
        if not isinstance(output, Tensor):
            return None, f"it puts out a {type(output).__name__}, not one tensor"
        if not output.is_floating_point():
            return None, f"it puts out {output.dtype}, not activations"
        shape = tuple(output.shape)
        if not shape or shape[0] != 2:
            return None, f"the first axis of its output {shape} is not the batch (windows, heads or constants)"
        if self._is_attention_map(name, module, shape):
            return None, "it puts out attention weights, token by token, not a map of channels"
        if len(shape) == 2:
            return ("bc", shape[1], 1, 1), ""
        if len(shape) == 3:
            return self._find_tokens(module, shape)
        if len(shape) == 4:
            return self._find_map(module, shape)
        return None, f"its output has {len(shape)} axes {shape}"

    def _find_map(self, module: nn.Module, shape: tuple) -> tuple[tuple | None, str]:
        _, a, b, c = shape
        possible = {}
        if self._is_grid(b, c):
            possible["bchw"] = ("bchw", a, b, c)
        if self._is_grid(a, b):
            possible["bhwc"] = ("bhwc", c, a, b)
        if not possible:
            return None, f"no two axes of its output {shape} are rows and columns of the picture"
        hint = self._hint(module, shape)
        layout = hint if hint in possible else self.latest if self.latest in possible else next(iter(possible))
        return possible[layout], ""

    def _find_tokens(self, module: nn.Module, shape: tuple) -> tuple[tuple | None, str]:
        _, tokens, channels = shape
        for prefix in dict.fromkeys((self.prefix_tokens, *PREFIXES)):
            for height, width in self.grids:
                if height * width == tokens - prefix:
                    return ("bnc", channels, height, width), ""
        if any(
            height * width == channels - prefix for height, width in self.grids for prefix in (0, self.prefix_tokens)
        ):
            return None, f"its output {shape} has tokens in the last axis: it mixes places, not channels"
        return None, f"the {tokens} rows of its output {shape} do not form a grid over the picture"

    def _hint(self, module: nn.Module, shape: tuple) -> str:
        named_2d = type(module).__name__.endswith("2d")
        if isinstance(module, CHANNELS_FIRST) or named_2d:
            return "bchw"
        return "bhwc" if isinstance(module, CHANNELS_LAST) else ""

    def _is_grid(self, height: int, width: int) -> bool:
        """Same aspect as the input, within one cell, and not finer than its pixels."""
        rows, columns = self.input_hw
        return abs(height * columns - width * rows) < max(rows, columns) and height <= rows and width <= columns

    def _is_attention_map(self, name: str, module: nn.Module, shape: tuple) -> bool:
        if self.own_grid and len(shape) == 4:
            tokens = math.prod(self.own_grid)
            between = {(n, n) for n in (tokens, tokens + self.prefix_tokens)}
            if between & {shape[1:3], shape[2:4]} and (tokens, tokens) not in self.grids:
                return True
        parent = self.modules.get(name.rpartition(".")[0])
        heads = getattr(parent, "num_heads", None)
        return (
            len(shape) == 4
            and isinstance(module, ATTENTION_PARTS)
            and (isinstance(module, nn.Softmax) or (heads == shape[1] and "attn" in name.rpartition(".")[2]))
        )

    def _token_grids(self) -> list[tuple[int, int]]:
        """Grids on which tokens can lie: the patch embedding's, and the input divided by 1, 2, 4, ..."""
        own = self.own_grid
        grids = [tuple(own)] if own else []
        for power in range(int(math.log2(COARSEST_GRID)) + 1):
            scale = 2**power
            grids += [
                tuple(-(-side // scale) for side in self.input_hw),
                tuple(side // scale for side in self.input_hw),
            ]
            if own:
                grids.append(tuple(max(1, side // scale) for side in own))
        return [grid for grid in dict.fromkeys(grids) if min(grid) > 1]
