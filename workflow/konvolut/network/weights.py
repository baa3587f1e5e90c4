"""Weights: fitted to a model by name or in order, and hashed."""

import hashlib
from collections.abc import Mapping
from itertools import islice, zip_longest
from pathlib import Path

import torch
from torch import Tensor, nn

from konvolut.errors import UserError

SHOWN_DIFFERENCES = 3


def fit_state_dict(module: nn.Module, weights: Mapping[str, Tensor], where: str) -> str:
    """Load weights whose names agree with the module's, or else that agree one after the other; says which it was.

    Files converted from elsewhere (TensorFlow's EfficientNet-Lite) keep the order of layers but not timm's names.
    Raises UserError for weights that do not fit, or that are no finite numbers.
    """
    wanted = _without_counters(module.state_dict())
    given = _below_prefix(wanted, _without_counters(weights))
    in_order = set(wanted) != set(given) and _fits_in_order(wanted, given)
    if in_order:
        given = dict(zip(wanted, given.values(), strict=True))
    differences = _differences(wanted, given)
    if differences:
        shown = "; ".join(islice(differences, SHOWN_DIFFERENCES))
        more = f" and {len(differences) - SHOWN_DIFFERENCES} more" if len(differences) > SHOWN_DIFFERENCES else ""
        raise UserError(f"{where}: the weights do not fit the model: {shown}{more}{_hint(module, wanted, given)}")
    odd = next(((name, what) for name, value in given.items() if (what := _oddness(value))), None)
    if odd:
        raise UserError(f"{where}: the weights of {odd[0]} are {odd[1]}: save them as plain numbers")
    broken = next((name for name, value in given.items() if not torch.isfinite(value).all()), None)
    if broken:
        raise UserError(f"{where}: the weights of {broken} are not all finite numbers: a training that went wrong")
    module.load_state_dict(given, strict=False)
    return "in order" if in_order else "by name"


def _oddness(value: Tensor) -> str:
    """Why a tensor is none of plain numbers, or ""."""
    kinds = {"without numbers (meta)": value.is_meta, "quantised": value.is_quantized, "complex": value.is_complex()}
    kinds["sparse"] = value.layout != torch.strided
    return next((what for what, is_so in kinds.items() if is_so), "")


def hash_file(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hash_tensors(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 over names, types, shapes and bytes, in the order of the names."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        value = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}\n".encode())
        digest.update(value.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _below_prefix(wanted: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """The weights below the prefix under which most wanted names stand, without it: DataParallel's `module.`,
    torch.compile's `_orig_mod.`, or a network's own name in another module, beside the weights of a loss, say."""
    first = next(iter(wanted), "")
    prefixes = {name.removesuffix(first) for name in given if name.endswith(f".{first}")}
    best = max(sorted(prefixes), key=lambda prefix: sum(prefix + name in given for name in wanted), default="")
    if sum(best + name in given for name in wanted) <= sum(name in given for name in wanted):
        return given
    return {name.removeprefix(best): value for name, value in given.items() if name.startswith(best)}


def _without_counters(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """BatchNorm's num_batches_tracked left out: older files lack it and eval() never reads it."""
    return {name: value for name, value in tensors.items() if value.ndim or value.is_floating_point()}


def _fits_in_order(wanted: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> bool:
    """Same count, in order the same shapes and last parts of names; a name that both have must stand at the same place.

    By shapes alone a BatchNorm's bias would be taken for its mean, and one network for another of equal widths.
    """
    pairs = list(zip_longest(wanted.items(), given.items(), fillvalue=("", torch.empty(0))))
    return len(wanted) == len(given) and all(
        a.shape == b.shape
        and name_a.rpartition(".")[2] == name_b.rpartition(".")[2]
        and (name_a == name_b or (name_a not in given and name_b not in wanted))
        for (name_a, a), (name_b, b) in pairs
    )


def _hint(module: nn.Module, wanted: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> str:
    """What to say among the options where the file is of another number of classes."""
    classes = getattr(module, "num_classes", None)
    for name, value in wanted.items():
        theirs = given.get(name, value)
        if value.shape != theirs.shape and value.shape[:1] == (classes,) and value.shape[1:] == theirs.shape[1:]:
            return f"; give the model num_classes={len(theirs)} among its options"
    return ""


def _differences(wanted: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> list[str]:
    found = []
    for name, value in wanted.items():
        if name not in given:
            found.append(f"{name} {tuple(value.shape)} is missing")
        elif given[name].shape != value.shape:
            found.append(f"{name} is {tuple(given[name].shape)} in the file, {tuple(value.shape)} in the model")
    return found + [f"{name} is not in the model" for name in given if name not in wanted]
