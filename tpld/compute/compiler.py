"""Starting without torch's compiler. Does not load torch.

torchvision asks torch's compiler for one function as it is imported, which loads all of it: two
seconds and 165 MB of every process, and nothing here compiles. So that function is looked up when
it is called. An optimiser still loads the compiler, at its first step.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

_UTILITIES, _WANTED = "torch._dynamo.utils", "is_compile_supported"


def leave_out_compiler() -> None:
    """Import torchvision without it, whenever that is. For a process of our own commands."""
    if "torchvision" not in sys.modules:
        sys.meta_path.insert(0, _Finder())


class _Finder(MetaPathFinder):
    """Finds torchvision as Python does, and has it loaded by `_Loader`."""

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> ModuleSpec | None:
        if fullname != "torchvision":
            return None
        sys.meta_path.remove(self)
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader)
        return spec


class _Loader(Loader):
    def __init__(self, inner: Loader) -> None:
        self.inner = inner

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self.inner.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        with _stand_in():
            self.inner.exec_module(module)

    def __getattr__(self, name: str) -> Any:  # what else a loader of files can do
        return getattr(self.inner, name)


@contextmanager
def _stand_in() -> Iterator[None]:
    """While torchvision is imported, a module with the one function that it wants."""
    if _UTILITIES in sys.modules:
        yield
        return
    module = ModuleType(_UTILITIES)
    setattr(module, _WANTED, _is_compile_supported)
    sys.modules[_UTILITIES] = module
    try:
        yield
    finally:
        if sys.modules.get(_UTILITIES) is module:
            del sys.modules[_UTILITIES]


def _is_compile_supported(device_type: Any) -> Any:
    from importlib import import_module

    return getattr(import_module(_UTILITIES), _WANTED)(device_type)
