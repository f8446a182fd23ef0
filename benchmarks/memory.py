"""What training each network takes in memory, from the sizes of its tensors; needs no GPU.

    python benchmarks/memory.py

A step (forward, upsampling, cross-entropy, backward) runs on torch's meta device, where tensors
have shapes and no data. Counted are the storages that autograd keeps for the backward pass, each
once, and per parameter 4 bytes of weight, gradient and momentum each. With bfloat16 autocast the
kept tensors shrink, weights keep a bfloat16 copy, and logits at full resolution stay float32.
Not counted: the framework's own context (0.5 GB), workspaces of convolutions, fragmentation.
"""

import argparse

import pandas as pd
import torch
from torch import Tensor, nn

from tpld.config import load_config
from tpld.models.batchnorm import set_batch_norm
from tpld.models.deeplabv2 import upsample
from tpld.models.registry import build_model

NETWORKS = ("deeplabv2_vgg16", "deeplabv2_resnet101", "deeplabv3_resnet101")
STEPS = {"self-training": (2, 512, 1024), "source training": (4, 500, 500)}
GB = 1e9


def kept_for_backward(network: nn.Module, image: Tensor, dtype: torch.dtype) -> int:
    """Bytes of distinct storages that a training step keeps, parameters and buffers apart."""
    own = {t.untyped_storage()._cdata for t in network.state_dict(keep_vars=True).values()}
    kept: dict[int, torch.UntypedStorage] = {}  # holding them keeps their addresses distinct

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in own:
            kept[storage._cdata] = storage
        return tensor

    size = (image.shape[2], image.shape[3])
    label = torch.empty((image.shape[0], *size), dtype=torch.int64, device="meta")
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = nn.functional.cross_entropy(upsample(network(image.to(dtype)), size), label)
        total = sum(storage.nbytes() for storage in kept.values())
        loss.backward()
    return total


def estimate(name: str, shape: tuple[int, int, int], bfloat16: bool, classes: int = 19) -> dict:
    """Gigabytes of a training step."""
    with torch.device("meta"):
        network = build_model(load_config({"model": {"name": name}}), classes)
    set_batch_norm(network, "frozen")
    count = sum(p.numel() for p in network.parameters())
    dtype = torch.bfloat16 if bfloat16 else torch.float32
    network.to(dtype)  # the meta device knows no autocast; sizes are the same
    batch, height, width = shape
    image = torch.empty(batch, 3, height, width, device="meta")
    kept = kept_for_backward(network, image, dtype)
    parameters = count * (4 * 3 + 2 * bfloat16)
    return {
        "network": name,
        "crops": f"{batch} x {height}x{width}",
        "precision": "bfloat16" if bfloat16 else "float32",
        "parameters, millions": count / 1e6,
        "weights, gradients, momentum": parameters / GB,
        "kept for backward": kept / GB,
        "sum, GB": (parameters + kept) / GB,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("networks", nargs="*", default=NETWORKS)
    rows = [
        {"step": step, **estimate(name, shape, bfloat16)}
        for name in parser.parse_args().networks
        for step, shape in STEPS.items()
        for bfloat16 in (False, True)
    ]
    print(pd.DataFrame(rows).to_markdown(index=False, floatfmt=".2f"))


if __name__ == "__main__":
    main()
