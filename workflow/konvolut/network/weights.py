"""Weights from files: read without running code, fitted to a model by name or in order, and hashed."""

import hashlib
import pickle
from collections.abc import Iterator, Mapping
from itertools import islice, zip_longest
from pathlib import Path

import torch
from torch import Tensor, nn

from konvolut.errors import UserError, first_line

WRAPPERS = ("state_dict_ema", "model_ema", "state_dict", "model", "net")  # keys under which trainers put the weights
PREFIXES = ("module.", "model.", "_orig_mod.")  # DataParallel, Lightning, torch.compile
SHOWN_DIFFERENCES = 3


class Foreign:
    """Stands for an object of whatever class a file names besides its weights (arguments of the training, numbers of
    numpy, a whole module): of that class nothing is imported or run, only what the file says of the object is kept."""

    said: object = None

    def __init__(self, *arguments: object, **more: object) -> None:
        pass

    def __setstate__(self, said: object) -> None:
        self.said = said

    def __setitem__(self, key: object, value: object) -> None:
        pass


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """Name -> tensor of a .safetensors file, or of what torch.save wrote: a state dict, a checkpoint, a whole module.

    Nothing that the file holds is run. Raises UserError for files without weights, or none that can be read that way.
    """
    try:
        if Path(path).suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        content = _load(path)
    except OSError as error:
        raise UserError(f"weights {path}: cannot be read ({error.strerror or error})") from error
    except Exception as error:  # torch and safetensors raise half a dozen kinds on foreign bytes
        kind = f"is not a file of weights and is not loaded ({first_line(error)[:200]})"
        if isinstance(error, pickle.UnpicklingError):
            kind = "holds more than weights, which only running its code would show, and is not loaded"
        raise UserError(f"weights {path}: {kind}; possible: a state dict saved by torch.save or safetensors") from error
    return _unwrap(content, path)


def _load(path: Path) -> object:
    """What a file of torch.save holds; objects that are no weights are Foreign."""
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        try:
            named = torch.serialization.get_unsafe_globals_in_checkpoint(path)
        except Exception:  # no file of a torch since 1.6
            raise error from None
    with torch.serialization.safe_globals([(Foreign, name) for name in named]):
        return torch.load(path, map_location="cpu", weights_only=True)


def fit_state_dict(module: nn.Module, weights: Mapping[str, Tensor], where: str) -> str:
    """Load weights whose names agree with the module's, or else that agree one after the other; says which it was.

    Files converted from elsewhere (TensorFlow's EfficientNet-Lite) keep the order of layers but not timm's names.
    Raises UserError for weights that do not fit, or that are no finite numbers.
    """
    wanted, given = _without_counters(module.state_dict()), _without_counters(weights)
    given, prefix = _below_prefix(wanted, given)
    in_order = set(wanted) != set(given) and _fits_in_order(wanted, given)
    if in_order:
        given = dict(zip(wanted, given.values(), strict=True))
    differences = _differences(wanted, given)
    if differences:
        shown = "; ".join(islice(differences, SHOWN_DIFFERENCES))
        more = f" and {len(differences) - SHOWN_DIFFERENCES} more" if len(differences) > SHOWN_DIFFERENCES else ""
        raise UserError(f"{where}: the weights do not fit the model: {shown}{more}{_hint(module, wanted, given)}")
    broken = next((name for name, value in given.items() if not torch.isfinite(value).all()), None)
    if broken:
        raise UserError(f"{where}: the weights of {broken} are not all finite numbers: a training that went wrong")
    module.load_state_dict(given, strict=False)
    return "in order" if in_order else f"by name below {prefix!r}" if prefix else "by name"


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


def _unwrap(content: object, path: Path) -> dict[str, Tensor]:
    for key in WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping | Foreign):
            content = content[key]
            break
    if isinstance(content, Foreign):
        content = dict(_of_module(content))
    tensors = {str(k): v for k, v in content.items() if isinstance(v, Tensor)} if isinstance(content, Mapping) else {}
    if not tensors:
        raise UserError(
            f"weights {path}: holds no state dict; possible: name -> tensor, or one under {', '.join(WRAPPERS)}"
        )
    for prefix in PREFIXES:
        if all(name.startswith(prefix) for name in tensors):
            tensors = {name.removeprefix(prefix): value for name, value in tensors.items()}
    return tensors


def _of_module(module: Foreign, prefix: str = "") -> Iterator[tuple[str, Tensor]]:
    """The state dict of a module that was saved whole."""
    said = module.said if isinstance(module.said, Mapping) else {}
    passing = said.get("_non_persistent_buffers_set") or ()
    for kind in ("_parameters", "_buffers"):
        for name, value in (said.get(kind) or {}).items():
            if isinstance(value, Tensor) and name not in passing:
                yield prefix + name, value
    for name, child in (said.get("_modules") or {}).items():
        if isinstance(child, Foreign):
            yield from _of_module(child, f"{prefix}{name}.")


def _below_prefix(wanted: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> tuple[Mapping[str, Tensor], str]:
    """The weights below the prefix under which most wanted names stand, and the prefix: a network inside another
    module, beside the weights of a loss, say."""
    first = next(iter(wanted), "")
    prefixes = {name.removesuffix(first) for name in given if name.endswith(f".{first}")}
    best = max(sorted(prefixes), key=lambda prefix: sum(prefix + name in given for name in wanted), default="")
    if sum(best + name in given for name in wanted) <= sum(name in given for name in wanted):
        return given, ""
    return {name.removeprefix(best): value for name, value in given.items() if name.startswith(best)}, best


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
