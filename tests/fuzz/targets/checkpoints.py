"""Weights of networks, ours and foreign, and resume points."""

from __future__ import annotations

import io
import json
import pickle
import random
import shutil
from pathlib import Path

from tests.fuzz.mutate import damage, damage_tree
from tests.fuzz.targets.common import CPU, Case, Trap
from tpld.config import load_config


def checkpoints(folder: Path) -> Case:
    """Our checkpoints, foreign weights, pickles with a trap, and resume points."""
    import torch
    from safetensors.torch import save
    from torch import nn

    from tpld.compute.runtime import resolve
    from tpld.models.foreign import read_tensors
    from tpld.models.weights import load_model, save_model
    from tpld.training.loop import Task, _restore, _save

    network = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)
    runtime = resolve(load_config({**CPU}).compute)
    state = folder / "state.pt"
    task = Task("x", 9, None, None, {"n": network}, {"o": optimizer}, 1, state)  # pyright: ignore
    optimizer.step(lambda: network(torch.randn(4, 3)).sum().backward())
    save_model(network, folder / "ours.safetensors", {"stage": "fuzz"})
    _save(task, 3, runtime.processes)
    weights = network.state_dict()
    plain = io.BytesIO()
    torch.save({"state_dict": weights}, plain)
    old = io.BytesIO()
    torch.save(weights, old, _use_new_zipfile_serialization=False)
    ours, resume = (folder / "ours.safetensors").read_bytes(), state.read_bytes()
    trap = pickle.dumps({"state_dict": weights, "trap": Trap(folder)})
    trapped = io.BytesIO()
    torch.save({"state_dict": weights, "trap": Trap(folder)}, trapped)
    foreign = [plain.getvalue(), old.getvalue(), save(weights), ours, resume]
    reference = {name: value.clone() for name, value in weights.items()}

    def case(rng: random.Random) -> None:
        kind = rng.randrange(4)
        if kind == 0:
            path = folder / "m.safetensors"
            path.write_bytes(_header(ours, rng) if rng.random() < 0.5 else damage(ours, rng))
            load_model(network, path)
            loaded = network.state_dict()
            assert all(torch.equal(loaded[name], reference[name]) for name in reference)
        elif kind == 1:
            state.write_bytes(damage(resume, rng))
            _restore(task, runtime)
        else:
            data = rng.choice([trap, trapped.getvalue()] if kind == 2 else foreign)
            path = folder / f"w{rng.choice(('.pt', '.pth', '.safetensors', '.bin'))}"
            path.write_bytes(damage(data, rng) if rng.random() < 0.8 else data)
            if kind == 2 and rng.random() < 0.5:
                shutil.copy(path, state)
                _restore(task, runtime)
            else:
                read_tensors(path, shapes_alone=rng.random() < 0.5)

    return case


def _header(data: bytes, rng: random.Random) -> bytes:
    """A safetensors file whose JSON header is another, and well-formed."""
    length = int.from_bytes(data[:8], "little")
    tree = damage_tree(json.loads(data[8 : 8 + length]), rng)
    header = json.dumps(tree).encode("utf-8", "replace")
    return len(header).to_bytes(8, "little") + header + data[8 + length :]
