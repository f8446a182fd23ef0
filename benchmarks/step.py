"""Seconds and peak memory of one real training step of a network on this machine's CPU.

python benchmarks/step.py deeplabv2_resnet101 --batch 2 --crop 512 1024
"""

import argparse
import resource
import time

import torch

from tpld.compute.runtime import resolve
from tpld.config import Compute, load_config
from tpld.models.batchnorm import set_batch_norm
from tpld.models.deeplabv2 import upsample
from tpld.models.registry import build_model
from tpld.training.optim import make_sgd


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("network")
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--crop", type=int, nargs=2, default=(512, 1024))
    arguments = parser.parse_args()
    size = tuple(arguments.crop)
    runtime = resolve(Compute(device="cpu", precision="float32"))
    config = load_config({"model": {"name": arguments.network}})
    network = runtime.place(build_model(config, 19))
    set_batch_norm(network, "frozen")
    optimizer = make_sgd(network, config.self_training, 5e-5)
    image = runtime.images(torch.randn(arguments.batch, 3, *size))
    label = torch.randint(0, 19, (arguments.batch, *size))
    began, used = time.monotonic(), time.process_time()
    torch.nn.functional.cross_entropy(upsample(network(image), size), label).backward()
    optimizer.step()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
    print(
        f"{arguments.network}, {arguments.batch} crops of {size}: {time.monotonic() - began:.1f} s "
        f"({time.process_time() - used:.1f} CPU s), peak {peak:.2f} GB"
    )


if __name__ == "__main__":
    main()
