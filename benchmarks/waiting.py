"""How long a step of the default network takes as waiting threads sleep, spin shortly or spin on.

    python benchmarks/waiting.py [--repeat 3]

Each policy in a process of its own, for OpenMP reads it at its start; they take turns. See
`tpld/cli/__init__.py`, which sets the middle one.
"""

import argparse
import os
import statistics
import subprocess
import sys

POLICIES = {
    "sleep (OMP_WAIT_POLICY=PASSIVE)": {"OMP_WAIT_POLICY": "PASSIVE"},
    "spin shortly (GOMP_SPINCOUNT=100000)": {"GOMP_SPINCOUNT": "100000"},
    "as OpenMP has it": {},
    "spin on (OMP_WAIT_POLICY=ACTIVE)": {"OMP_WAIT_POLICY": "ACTIVE"},
}
STEP = """
import statistics, time, torch
from pathlib import Path
from tpld.config import load_config
from tpld.models.registry import build_model
network = build_model(load_config(Path("config.yaml")), 14).train()
network = network.to(memory_format=torch.channels_last)
images = torch.rand(4, 3, 128, 160).to(memory_format=torch.channels_last)
optimizer, times = torch.optim.AdamW(network.parameters()), []
for _ in range(13):
    began = time.perf_counter()
    optimizer.zero_grad()
    output = network(images)
    logits = output[-1] if isinstance(output, tuple) else output
    logits.logsumexp(1).mean().backward()
    optimizer.step()
    times.append(time.perf_counter() - began)
print(statistics.median(times[3:]))
"""


def seconds(policy: dict[str, str]) -> float:
    """Median time of a step in a new process."""
    ours = {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"}
    environment = {k: v for k, v in os.environ.items() if k not in ours} | policy
    done = subprocess.run(
        [sys.executable, "-c", STEP], env=environment, check=True, capture_output=True, text=True
    )
    return float(done.stdout)


def main() -> None:
    """Print a line a policy."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    times: dict[str, list[float]] = {name: [] for name in POLICIES}
    for _ in range(options.repeat):
        for name, policy in POLICIES.items():
            times[name].append(seconds(policy))
    best = min(statistics.median(found) for found in times.values())
    for name, found in times.items():
        middle = statistics.median(found)
        span = f"{min(found):.2f} to {max(found):.2f}"
        print(f"{name:38} {middle:.2f} s a step ({span}), {middle / best:.2f} times the best")


if __name__ == "__main__":
    main()
