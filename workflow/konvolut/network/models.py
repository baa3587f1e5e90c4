"""A timm model, ready to be looked into: built, filled with its weights, frozen. The only file that imports timm."""

import contextlib
import dataclasses
import inspect
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit
from urllib.request import getproxies

import torch

from konvolut.asked.options import OF_PHOTOGRAPHS, OF_THE_SIZE
from konvolut.errors import UserError, first_line, nearest
from konvolut.network.checkpoints import read_state_dict
from konvolut.network.classes import told_apart
from konvolut.network.data import DataConfig, data_config
from konvolut.network.eager import without_compiler
from konvolut.network.weights import fit_state_dict, hash_file, hash_tensors
from konvolut.provenance import texts_sha256

# timm imports torchvision. A torchvision built for another torch (PyPI's CUDA wheel beside a CPU torch) fails at
# import, because it describes two operators of its missing C++ library. We call neither: declaring them is enough.
without_compiler()
_DECLARED_OPERATORS: list[torch.library.Library] = []
try:
    import torchvision  # noqa: F401
except RuntimeError:
    _DECLARED_OPERATORS.append(torch.library.Library("torchvision", "DEF"))
    for _name in ("nms", "qnms"):
        _DECLARED_OPERATORS[0].define(f"{_name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")

import timm  # noqa: E402
import timm.data  # noqa: E402
from torch import nn  # noqa: E402

HUB_TIMEOUT_S = 5  # a reachable hub answers in well under a second; huggingface_hub itself retries for 46 s


@dataclass(frozen=True)
class Network:
    """A frozen model in eval mode with everything that its passport needs."""

    module: nn.Module
    source: dict[str, str]  # timm_name, architecture, tag, weights, fitted, of named classes classes_sha256
    weights_sha256: str
    data: DataConfig
    class_names: list[str] = field(default_factory=list)
    prefix_tokens: int = 0

    @property
    def device(self) -> torch.device:
        return next((p.device for p in self.module.parameters()), torch.device("cpu"))

    def facts(self) -> dict:
        """What a passport says about the network."""
        data = dataclasses.asdict(self.data)
        return {"model": self.source, "weights_sha256": self.weights_sha256, "data": data, "device": self.device.type}


def build(source, device: str | torch.device = "cpu") -> Network:
    """The network that one row of the model sheet (settings.ModelSource) describes, on a device."""
    module, weights_sha256, fitted = _create_with_weights(source)
    module = module.eval().requires_grad_(False)  # timm.create_model returns training mode
    # Forward passes of 12 architectures were 1.0 to 1.9 times faster so on a CPU, VGG and Inception most of all.
    module = module.to(device, memory_format=torch.channels_last)
    pretrained_cfg = getattr(module, "pretrained_cfg", {}) or {}
    names = {
        "timm_name": source.timm_name,
        "architecture": str(pretrained_cfg.get("architecture") or source.timm_name),
        "tag": str(pretrained_cfg.get("tag") or ""),
        "weights": source.weights,
        "fitted": fitted,
    }
    if source.class_names:
        names["classes_sha256"] = texts_sha256(source.class_names)
    data = data_config(timm.data.resolve_model_data_config(module), dict(source.options), _row(source))
    prefix_tokens = int(getattr(module, "num_prefix_tokens", 0) or 0)
    return Network(module, names, weights_sha256, data, _class_names(module, source), prefix_tokens)


def known_models() -> list[str]:
    """Every architecture that timm can build, and every tag of its pretrained weights."""
    return sorted({*timm.list_models(), *timm.list_pretrained()})


def class_names(source) -> list[str]:
    """The names of a model's classes by its architecture and options alone, without memory for tensors if possible."""
    module = None
    with contextlib.suppress(Exception), torch.device("meta"):  # some constructors look at their numbers
        module = _create(source)
    if module is None:
        module = _create(source)
    return _class_names(module, source)


def arguments(network: Network, source) -> dict[str, object]:
    """What a row of the model sheet gives timm.create_model: with it a reader builds the network again."""
    kinds = type(network.module).__mro__
    sized = any(OF_THE_SIZE in inspect.signature(kind.__init__).parameters for kind in kinds)
    left_out = OF_PHOTOGRAPHS if sized else (*OF_PHOTOGRAPHS, OF_THE_SIZE)
    return {name: value for name, value in source.options if name not in left_out}


def choose_device(asked: str = "auto") -> torch.device:
    """The device to compute on; auto prefers CUDA, then MPS, then the CPU."""
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if asked == "auto":
        return torch.device(next(name for name, there in available.items() if there))
    if not available.get(asked.split(":")[0], False):
        possible = ", ".join(name for name, there in available.items() if there)
        raise UserError(f"device: {asked!r} is not available here; possible: auto, {possible}")
    return torch.device(asked)


def _create_with_weights(source) -> tuple[nn.Module, str, str]:
    """The model, the hash of its weights, and how a file of weights was fitted ("" where timm finds or draws them)."""
    kind, _, rest = source.weights.partition(":")
    if kind == "random":
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(rest))
            module = _create(source)
        return module, hash_tensors(module.state_dict()), ""
    if kind in ("file", "package"):
        module = _create(source)
        fitted = fit_state_dict(module, read_state_dict(source.weights_path), _row(source))
        return module, hash_file(source.weights_path), fitted
    module = _create_pretrained(source, f"hf-hub:{rest}" if kind == "hf-hub" else source.timm_name)
    return module, hash_tensors(module.state_dict()), ""


def _create(source, *, name: str | None = None, pretrained: bool = False) -> nn.Module:
    name = name or source.timm_name
    if not name.startswith("hf-hub:"):
        _check_name(source)
    options = {option: value for option, value in source.options if option not in OF_PHOTOGRAPHS}
    try:
        return _create_of_size(name, pretrained, options)
    except Exception as error:  # options go to constructors of torch and timm, which raise what they like
        if not options or isinstance(error, OSError):  # weights that could not be had
            raise
        asked = f"timm cannot build {name!r} with the options {options}"
        raise UserError(f"{_row(source)}: {asked}: {first_line(error)}") from error


def _create_of_size(name: str, pretrained: bool, options: dict) -> nn.Module:
    """A model for photographs of `img_size`: few convolutional networks want to know it, as they take any."""
    try:
        return timm.create_model(name, pretrained=pretrained, **options)
    except TypeError as error:
        if OF_THE_SIZE not in options or f"'{OF_THE_SIZE}'" not in str(error):
            raise
    unsized = {option: value for option, value in options.items() if option != OF_THE_SIZE}
    return timm.create_model(name, pretrained=pretrained, **unsized)


def _check_name(source) -> None:
    if not timm.is_model(source.timm_name):
        close = nearest(source.timm_name, known_models())
        raise UserError(f"{_row(source)}: timm {timm.__version__} has no model {source.timm_name!r}{close}")
    architecture, _, tag = source.timm_name.partition(".")
    tags = [name.partition(".")[2] for name in timm.list_pretrained(architecture)]
    if tag and tag not in tags:
        raise UserError(f"{_row(source)}: {architecture!r} has no weights tagged {tag!r}; possible: {', '.join(tags)}")


def _create_pretrained(source, name: str) -> nn.Module:
    """With timm's own weights, or those of a Hugging Face repository (whose model must be the one that was named)."""
    _check_name(source)
    if name == source.timm_name and not timm.list_pretrained(name.partition(".")[0]):
        raise UserError(f"{_row(source)}: timm has no pretrained weights for {name!r}; use random:SEED or file:PATH")
    try:
        with _offline_when_unreachable():
            module = _create(source, name=name, pretrained=True)
    except (OSError, RuntimeError, ValueError) as error:
        raise UserError(
            f"{_row(source)}: the weights of {name!r} could not be had ({first_line(error)}); connect this machine to"
            " the network, fill Hugging Face's cache (HF_HOME), or give the weights as file:PATH or package:MODULE/PATH"
        ) from error
    except (LookupError, TypeError, AttributeError) as error:
        if not name.startswith("hf-hub:"):
            raise
        raise UserError(f"{_row(source)}: {name!r} holds no model of timm's ({first_line(error)})") from error
    built = module.pretrained_cfg.get("architecture")
    if built and built != source.timm_name.partition(".")[0]:
        raise UserError(f"{_row(source)}: {name!r} holds weights of {built!r}, not of {source.timm_name!r}")
    return module


@contextlib.contextmanager
def _offline_when_unreachable() -> Iterator[None]:
    """Keep huggingface_hub from its long retries where its host does not answer; its cache still works."""
    from huggingface_hub import constants

    before = constants.HF_HUB_OFFLINE
    try:
        constants.HF_HUB_OFFLINE = before or not (getproxies() or _reachable(constants.ENDPOINT))
        yield
    finally:
        constants.HF_HUB_OFFLINE = before


def _reachable(url: str) -> bool:
    address = urlsplit(url)
    default_port = 80 if address.scheme == "http" else 443
    try:
        socket.create_connection((address.hostname, address.port or default_port), timeout=HUB_TIMEOUT_S).close()
    except OSError:
        return False
    return True


def _row(source) -> str:
    line = getattr(source, "sheet_line", None)
    return f"models sheet, line {line}, id {source.id!r}" if line else f"model {source.id!r}"


def _class_names(module: nn.Module, source) -> list[str]:
    """The sheet's, else those of its Hugging Face repository, else ImageNet's words where the number of classes says
    which ImageNet it is, else "class 0", "class 1", ..."""
    count = int(getattr(module, "num_classes", 0) or 0)
    if source.class_names:
        named = len(source.class_names)
        if named != count:
            raise UserError(
                f"{_row(source)}: column classes names {named} classes, the model has {count};"
                f" name {count}, or give it num_classes={named} among its options"
            )
        return told_apart(source.class_names)
    told = list((getattr(module, "pretrained_cfg", None) or {}).get("label_names") or ())
    if count and len(told) == count:
        return told_apart([str(name) for name in told])
    subset = timm.data.infer_imagenet_subset(module)
    if not count or subset is None:
        return [f"class {index}" for index in range(count)]
    return told_apart(timm.data.ImageNetInfo(subset).label_descriptions())
