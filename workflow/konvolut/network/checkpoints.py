"""Files of weights, read without running anything of them: state dicts, checkpoints of trainers, whole modules."""

import pickle
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from torch import Tensor

from konvolut.errors import UserError, first_line

WRAPPERS = ("state_dict_ema", "model_ema", "state_dict", "model", "net")  # keys under which trainers put the weights


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
