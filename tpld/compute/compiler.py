"""Starting without torch's compiler. Does not load torch.

torchvision asks torch's compiler for a function and for a mark as it is imported, and torch's
optimisers for marks as they run. Each loads all of it: two seconds and 135 MB of every process, and
nothing here compiles. So the function is looked up when it is called, and the marks are left out.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar, cast

if TYPE_CHECKING:
    from torch.optim import Optimizer

Kind = TypeVar("Kind", bound="Optimizer")
_UTILITIES, _WANTED = "torch._dynamo.utils", "is_compile_supported"


def leave_out_compiler() -> None:
    """Import torchvision without it, whenever that is. For a process of our own commands."""
    if "torchvision" not in sys.modules:
        sys.meta_path.insert(0, _Finder())


def plain_optimizer(kind: type[Kind]) -> type[Kind]:
    """A kind of torch's optimisers without marks for the compiler; its sums are the same.

    Where torch has no such marks it is `kind` itself.
    """
    import torch

    for name in ("add_param_group", "zero_grad", "load_state_dict"):
        function = getattr(getattr(kind, name), "__wrapped__", None)
        if function is not None:
            setattr(function, "__dynamo_disable", function)
    step = getattr(kind.step, "__wrapped__", None)
    if step is None:
        return kind
    return cast("type[Kind]", type(kind.__name__, (kind,), {"step": torch.no_grad()(step)}))


class _Finder(MetaPathFinder):
    """Finds two modules of torchvision as Python does, and has them loaded by `_Loader`."""

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> ModuleSpec | None:
        around = {"torchvision": _stand_in, "torchvision.tv_tensors": _no_mark}.get(fullname)
        spec = PathFinder.find_spec(fullname, path, target) if around else None
        if spec is not None and spec.loader is not None and around:
            spec.loader = _Loader(spec.loader, around)
        return spec


class _Loader(Loader):
    def __init__(self, inner: Loader, around: Callable[[], AbstractContextManager[None]]) -> None:
        self.inner, self.around = inner, around

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self.inner.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        with self.around():
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


@contextmanager
def _no_mark() -> Iterator[None]:
    """While torchvision marks a function of its own as none for the compiler."""
    import torch.compiler

    mark = torch.compiler.disable
    torch.compiler.disable = lambda function: function
    try:
        yield
    finally:
        torch.compiler.disable = mark


def _is_compile_supported(device_type: Any) -> Any:
    from importlib import import_module

    return getattr(import_module(_UTILITIES), _WANTED)(device_type)
