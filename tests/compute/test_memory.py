"""What a command sets for its own process: the allocator, and what torchvision loads."""

import subprocess
import sys

import pytest

from tpld.compute import memory


class Library:
    """A C library that notes what it is told."""

    def __init__(self):
        self.told = []

    def mallopt(self, what, value):
        self.told.append((what, value))
        return 1


@pytest.fixture()
def library(monkeypatch):
    for name in ("MALLOC_ARENA_MAX", "MALLOC_TRIM_THRESHOLD_"):
        monkeypatch.delenv(name, raising=False)
    found = Library()
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda _: found)
    return found


def test_the_allocator_is_told_to_keep_memory(library):
    assert memory.keep_memory()
    assert dict(library.told) == {-1: 2**31 - 1, -4: 0}


def test_what_the_user_has_set_stays(library, monkeypatch):
    monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", "1")
    assert not memory.keep_memory()
    assert library.told == []


def test_another_allocator_is_left_alone(monkeypatch):
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda _: object())
    assert not memory.keep_memory()


_LOADS = """
import sys
from tpld.compute.compiler import leave_out_compiler
leave_out_compiler()
import torch, {module}
assert "torch._dynamo" not in sys.modules, "the compiler is loaded"
import torchvision
boxes = torch.tensor([[0, 0, 0, 4, 4.0]])
assert torchvision.ops.roi_align(torch.ones(1, 1, 8, 8), boxes, 2).shape == (1, 1, 2, 2)
import torch._dynamo.utils
assert torch._dynamo.utils.counters is not None
"""


@pytest.mark.parametrize(
    "module", ["tpld.stages.dump", "tpld.stages.evaluate", "tpld.commands.predict"]
)
def test_prediction_starts_without_the_compiler_which_is_there_when_asked_for(module):
    subprocess.run([sys.executable, "-c", _LOADS.format(module=module)], check=True)
