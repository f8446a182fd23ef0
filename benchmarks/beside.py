"""Training steps and prediction beside those of another commit, in one run.

    python benchmarks/beside.py --base 158cab0 --camvid ../shared/camvid [--only dump]

Both versions take turns, each time in a process of its own, with the threads and the allocator that
the `tpld` command of that version has. Medians. "cores" are the seconds of computing in a second;
"peak" is the most memory that the process held.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import NamedTuple

import pandas as pd
import yaml

HERE = Path(__file__).resolve().parents[1]
PRESET = HERE / "workflow/presets/camvid_day_dusk.yaml"

STEP = """
import json, resource, statistics, sys, time
import tpld.cli                                  # sets how OpenMP waits, before torch is loaded
getattr(tpld.cli, "begin_process", lambda: None)()  # which an older version does not have
import torch
from tpld.compute.runtime import resolve
from tpld.config import Compute, load_config
from tpld.models.registry import build_model
from tpld.training.source import SourceStep
name, batch_norm, precision, batch, height, width, repeat = sys.argv[1:]
size = (int(height), int(width))
section = {"optimizer": "adamw", "batch_norm": batch_norm, "batch_size": int(batch)}
model = {"name": name, "output_stride": 16, "aspp_dilations": [2, 4, 6, 8]}
config = load_config({"model": model, "source_training": section})
compute = Compute(device="cpu", precision=precision)
try:
    runtime = resolve(compute, name)
except TypeError:
    runtime = resolve(compute)                   # a version that does not ask for the network
torch.manual_seed(0)
network = runtime.place(build_model(config, 7))
step = SourceStep(network, config.source_training, runtime)
image, label = torch.randn(int(batch), 3, *size), torch.randint(0, 7, (int(batch), *size))
times = []
for t in range(int(repeat) + 2):
    began = time.perf_counter()
    step({"image": image, "label": label}, t)
    times.append(time.perf_counter() - began)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"seconds": statistics.median(times[2:]), "peak MB": peak}))
"""
COMMAND = "from tpld.cli import main; main()"


class Run(NamedTuple):
    """What one process took: seconds, cores that were busy, MB."""

    seconds: float
    cores: float
    peak: float


class Work(NamedTuple):
    """Something to time: a name, and how to run it with the code in a folder."""

    name: str
    run: Callable[[Path], Run]


def environment(code: Path) -> dict[str, str]:
    """As the caller's, with the package of `code`."""
    return os.environ | {"PYTHONPATH": str(code), "PYTHONSAFEPATH": "1"}


def step_of(name: str, batch_norm: str, precision: str, crop: tuple[int, int, int]) -> Work:
    """Median step of source training."""

    def run(code: Path) -> Run:
        argument = [name, batch_norm, precision, *map(str, crop), "7"]
        command = [sys.executable, "-c", STEP, *argument]
        done = subprocess.run(
            command, env=environment(code), check=True, stdout=subprocess.PIPE, text=True
        )
        found = json.loads(done.stdout.splitlines()[-1])
        return Run(found["seconds"], float("nan"), found["peak MB"])

    return Work(
        f"step, {name}, BatchNorm {batch_norm}, {precision}, {'x'.join(map(str, crop))}", run
    )


def command_of(name: str, arguments: list[str], out: Path) -> Work:
    """A whole command, from start to end."""

    def run(code: Path) -> Run:
        if out.exists():
            shutil.rmtree(out) if out.is_dir() else out.unlink()
        began = time.perf_counter()
        with Path(f"{out}.log").open("w+") as log:
            process = subprocess.Popen(
                [sys.executable, "-c", COMMAND, *arguments, "--out", str(out)],
                env=environment(code),
                cwd=HERE,
                stdout=log,
                stderr=log,
            )
            _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        if status:
            raise SystemExit(Path(f"{out}.log").read_text())
        return Run(seconds, (usage.ru_utime + usage.ru_stime) / seconds, usage.ru_maxrss / 1024)

    return Work(name, run)


def commands(camvid: Path, code: Path, folder: Path) -> list[Work]:
    """`tpld dump`, `evaluate` and `predict` of EfficientNet-Lite0 on CamVid's frames."""
    settings = yaml.safe_load(PRESET.read_text())
    for domain in ("source", "target"):
        place = settings["data"][domain]
        for key in ("images", "labels", "train", "val"):
            place[key] = place[key].replace("../shared/camvid", str(camvid.resolve()))
    settings["source_training"]["steps"] = 2
    config = folder / "config.yaml"
    config.write_text(yaml.safe_dump(settings))
    for split in ("source_train", "source_val"):
        made = command_of(
            split, ["prepare", "--config", str(config), "--split", split], folder / split
        )
        made.run(code)
    model, where = folder / "source/model.safetensors", ["--config", str(config)]
    training = ["train-source", *where, "--seed", "0", "--data", str(folder / "source_train")]
    command_of("model", training, model.parent).run(code)
    known, val = [*where, "--model", str(model)], folder / "source_val"
    few = folder / "images"
    few.mkdir()
    for file in sorted((camvid / "images").rglob("*.jpg"))[:120]:
        shutil.copy(file, few)
    return [
        command_of("tpld dump, 171 images", ["dump", *known, "--images", str(val)], folder / "o"),
        command_of(
            "tpld evaluate, 171 images", ["evaluate", *known, "--data", str(val)], folder / "o"
        ),
        command_of("tpld predict, 120 images", ["predict", str(model), str(few)], folder / "o"),
    ]


def compare(works: list[Work], base: Path, repeat: int) -> pd.DataFrame:
    """One row a work."""
    rows = []
    for work in works:
        runs: dict[Path, list[Run]] = {base: [], HERE: []}
        for turn in range(2 * repeat):
            code = (base, HERE)[turn % 2]
            runs[code].append(work.run(code))
        before, after = (Run(*map(median, zip(*runs[code], strict=True))) for code in (base, HERE))
        rows.append(
            {
                "work": work.name,
                "before s": before.seconds,
                "now s": after.seconds,
                "ratio": before.seconds / after.seconds,
                "before cores": before.cores,
                "now cores": after.cores,
                "before peak MB": before.peak,
                "now peak MB": after.peak,
            }
        )
        print(pd.DataFrame(rows[-1:]).round(3).to_string(index=False, header=len(rows) == 1))
    return pd.DataFrame(rows)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--base", required=True, help="a commit of this repository")
    parser.add_argument("--camvid", type=Path, default=HERE.parent / "shared/camvid")
    parser.add_argument("--only", default="", help="works whose name holds this")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    small, large = (4, 128, 160), (4, 192, 256)
    network = "deeplabv2_efficientnet_lite0"
    works = [
        step_of(network, "train", "auto", large),
        step_of(network, "frozen", "auto", large),
        step_of("deeplabv2_resnet18", "train", "auto", small),
        step_of("deeplabv2_resnet18", "train", "auto", (4, 64, 80)),
        step_of("deeplabv2_resnet50", "train", "auto", small),
        step_of("deeplabv2_resnet50", "frozen", "auto", small),
    ]
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        base = folder / "base"
        subprocess.run(["git", "-C", HERE, "worktree", "prune"], check=True)
        git = ["git", "-C", str(HERE), "worktree"]
        subprocess.run([*git, "add", "--quiet", "--detach", str(base), options.base], check=True)
        try:
            # What a version compiles, it compiles before it is timed.
            command = [sys.executable, "-c", COMMAND, "compile-kernels"]
            for code in (base, HERE):
                subprocess.run(command, env=environment(code), check=True)
            wanted = [work for work in works if options.only in work.name]
            if not wanted or not options.only:
                wanted += commands(options.camvid, base, folder)
            wanted = [work for work in wanted if options.only in work.name]
            table = compare(wanted, base, options.repeat)
        finally:
            subprocess.run([*git, "remove", "--force", str(base)], check=True)
    print("\n" + table.round(2).to_markdown(index=False))
    if options.out:
        table.round(4).to_csv(options.out, index=False)


if __name__ == "__main__":
    main()
