"""`tpld export`: an adapted network as ONNX, checked against torch."""

from __future__ import annotations

import importlib.util
import json
import logging
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tpld.commands.show import Page
from tpld.compute.runtime import resolve
from tpld.config import Compute, Config
from tpld.data.normalise import MEAN, STD
from tpld.errors import ConfigError, TpldError
from tpld.models.card import Card, read_card
from tpld.models.deeplabv2 import upsample
from tpld.models.weights import load_trained
from tpld.stores.atomic import replacing
from tpld.stores.space import readable

_NEEDED = ("onnx", "onnxscript", "onnxruntime")
# Sums in another order; what one compares are probabilities.
_TOLERANCE = 1e-3


class Exported(nn.Module):
    """What the file computes: pixels in, probabilities at the same size out."""

    mean: Tensor
    std: Tensor

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("mean", torch.tensor(MEAN)[:, None, None])
        self.register_buffer("std", torch.tensor(STD)[:, None, None])

    def forward(self, image: Tensor) -> Tensor:
        """float32 (B, 3, H, W), RGB 0 to 255 -> float32 (B, K, H, W), probabilities."""
        logits = self.network((image / 255 - self.mean) / self.std)
        return upsample(logits, (image.shape[-2], image.shape[-1])).softmax(1)


def export(
    model: Path,
    out: Path,
    size: tuple[int, int] | None = None,
    fixed: bool = False,
    config: Config | None = None,
) -> Page:
    """Write a checkpoint as ONNX: ``image`` in, ``probabilities`` out.

    The file is written only if onnxruntime gives torch's probabilities, on random images of the
    example's size and, unless the size is `fixed`, of another.

    Args:
        model: a checkpoint of any stage.
        out: the file to write, ``.onnx``.
        size: height and width of the example; None: what the network was adapted with, or 256x512.
        fixed: only images of that size, one at a time.
        config: of checkpoints that do not say which network they are of.

    Raises:
        ConfigError: the optional packages are missing, or `out` is no ``.onnx``.
        TpldError: the network cannot be exported, or onnxruntime disagrees.
    """
    if out.suffix != ".onnx":
        raise ConfigError(f"{out}: the file must end in .onnx")
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise ConfigError(
            f"exporting needs {', '.join(missing)}, which are optional: "
            "pip install 'tpld[onnx]' (in a clone: pip install -e '.[onnx]')"
        )
    card = read_card(model, config)
    compute = Compute(device="cpu", precision="float32", channels_last=False)
    runtime = resolve(compute)
    network = Exported(load_trained(card.config(compute), len(card.names), model, runtime)).eval()
    size = size or card.size or (256, 512)
    example = random_image(1, size)
    with replacing(out) as partial, torch.inference_mode(False), torch.no_grad():
        _write(network, example, fixed, partial)
        _describe(partial, card)
        run = _session(partial)
        worst = _compare(network, run, example)
        if not fixed:
            other = (size[0] * 3 // 4 + 5, size[1] * 5 // 4 + 3)
            worst = max(worst, _compare(network, run, random_image(2, other)))
    free = "one image of this size" if fixed else "any batch, height and width"
    return Page(
        f"{out}: checked against torch",
        {
            "input": "image: float32 (batch, 3, height, width), RGB, 0 to 255; " + free,
            "output": f"probabilities: float32 (batch, {len(card.names)}, height, width)",
            "largest difference to torch": worst,
            "classes": card.names,
            "size of the file": readable(out.stat().st_size),
        },
    )


def random_image(batch: int, size: tuple[int, int]) -> Tensor:
    """float32 (batch, 3, H, W), 0 to 255: smooth enough that classes differ."""
    draw = torch.Generator().manual_seed(0)
    coarse = 255 * torch.rand((batch, 3, 8, 8), generator=draw)
    return nn.functional.interpolate(coarse, size, mode="bilinear").contiguous()


def _write(network: nn.Module, example: Tensor, fixed: bool, path: Path) -> None:
    spatial = {2: torch.export.Dim.DYNAMIC, 3: torch.export.Dim.DYNAMIC}
    free = None if fixed else {"image": {0: torch.export.Dim.DYNAMIC, **spatial}}
    for chatty in ("onnxscript", "onnx_ir", "torch.onnx"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    # A batch of one would be taken for a constant.
    sample = example if fixed else example.repeat(2, 1, 1, 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.onnx.export(
                network,
                (sample,),
                path,
                input_names=["image"],
                output_names=["probabilities"],
                dynamic_shapes=free,
                dynamo=True,
                external_data=False,
                verbose=False,
            )
    except Exception as error:
        first = str(error).strip().splitlines()[0]
        hint = "" if fixed else " With --fixed --size HxW it is exported for one size alone."
        raise TpldError(f"torch cannot export this network ({first}).{hint}") from error


def _describe(path: Path, card: Card) -> None:
    """Put the classes into the file, so that it can be used alone."""
    import onnx

    written = onnx.load(path)
    entries = {"classes": json.dumps(card.names), "colors": json.dumps(card.colors.tolist())}
    onnx.helper.set_model_props(written, entries)
    onnx.save(written, path)


def _session(path: Path) -> Callable[[np.ndarray], np.ndarray]:
    import onnxruntime

    options: Any = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(
        path.read_bytes(), options, providers=["CPUExecutionProvider"]
    )
    return lambda image: np.asarray(session.run(["probabilities"], {"image": image})[0])


def _compare(network: nn.Module, run: Callable[[np.ndarray], np.ndarray], image: Tensor) -> float:
    """Largest difference of a probability; too large a one is an error."""
    expected, got = network(image).numpy(), run(image.numpy())
    worst = float(np.abs(expected - got).max()) if expected.shape == got.shape else float("inf")
    if not worst <= _TOLERANCE:
        raise TpldError(
            f"onnxruntime differs from torch by {worst:.3g} on an image of "
            f"{image.shape[2]}x{image.shape[3]} (at most {_TOLERANCE:g} is allowed); nothing was "
            "written. Please report the network and the versions of torch and onnxruntime"
        )
    return worst
