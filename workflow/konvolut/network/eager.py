"""torch without its compiler: to import torch._dynamo takes as long as torch itself, and nothing here compiles.

torchvision.ops imports it for one function, torch's optimisers for two that do nothing outside of compiled code.
Modules with these take its place; who asks for anything else of it gets the real one.
"""

import importlib
import sys
import types
from importlib.machinery import ModuleSpec

import torch

COMPILER = "torch._dynamo"
STAND_INS = (COMPILER, f"{COMPILER}.utils")


def without_compiler() -> None:
    """From now on nobody imports the compiler who does not compile; nothing, where it has been imported already."""
    if COMPILER in sys.modules:
        return
    stand_ins = {name: _StandIn(name) for name in STAND_INS}
    dynamo, utils = stand_ins.values()
    dynamo.graph_break, dynamo.disable, dynamo.utils, dynamo.__path__ = lambda *_: None, _disable, utils, []
    utils.is_compile_supported = lambda *_: False
    sys.modules |= stand_ins
    torch._dynamo = dynamo
    sys.meta_path.insert(0, _Finder())


def _disable(function=None, *_, **__):
    return function or _disable


class _StandIn(types.ModuleType):
    """A module that knows a few names and gives those of the real one for any other."""

    def __getattr__(self, name: str):
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(_real(self.__name__), name)


class _Finder:
    """Finds what lies in the compiler's package while a module stands in for it; loads what it found."""

    def find_spec(self, name: str, path=None, target=None) -> ModuleSpec | None:
        """A module of the real package."""
        stands_in = isinstance(sys.modules.get(COMPILER), _StandIn)
        return ModuleSpec(name, self) if stands_in and name.startswith(f"{COMPILER}.") else None

    def create_module(self, spec: ModuleSpec) -> types.ModuleType:
        """The real module, whose own loader has loaded it."""
        module = _real(spec.name)
        spec.loader_state = module.__spec__
        return module

    def exec_module(self, module: types.ModuleType) -> None:
        """Nothing but to give back what importlib took from it."""
        module.__spec__ = module.__spec__.loader_state


def _real(name: str) -> types.ModuleType:
    for each in STAND_INS:
        if isinstance(sys.modules.get(each), _StandIn):
            del sys.modules[each]
    vars(torch).pop("_dynamo", None)
    importlib.import_module(COMPILER)
    return importlib.import_module(name)
