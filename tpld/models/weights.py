"""Loading and saving weights: torchvision's ImageNet weights, local files, our own checkpoints."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path

import safetensors
import torch
import torchvision
from safetensors.torch import load_file, save
from torch import Tensor, nn

from tpld.config import Config
from tpld.errors import ConfigError, StoreError
from tpld.models.deeplabv2 import RESNETS, DeepLabV2
from tpld.runtime import Runtime
from tpld.stores.atomic import replacing

log = logging.getLogger(__name__)


def build_model(config: Config, num_classes: int) -> nn.Module:
    """The network of a configuration, its weights still random.

    Raises:
        ConfigError: no such architecture.
    """
    model = config.model
    if model.name not in RESNETS:
        raise ConfigError(f"model.name: '{model.name}' is unknown; known: {', '.join(RESNETS)}")
    return DeepLabV2(model.name, num_classes, model.output_stride, model.aspp_dilations)


def load_initial(network: nn.Module, config: Config) -> str:
    """Load the weights that source training starts from; returns a sentence for the record.

    Raises:
        ConfigError: the weights are neither ``random``, a name of the enum, nor a file that fits.
    """
    weights = config.model.weights
    if weights == "random":
        return "random"
    assert isinstance(network, DeepLabV2)
    if Path(weights).suffix:
        state = _foreign_state(Path(weights))
    else:
        constructor = RESNETS[config.model.name][0]
        enum = torchvision.models.get_model_weights(constructor)
        try:
            state = enum[weights].get_state_dict(progress=False)
        except KeyError:
            known = [entry.name for entry in enum]
            raise ConfigError(
                f"model.weights: '{weights}' is unknown for {constructor}; known: random, DEFAULT, "
                f"{', '.join(known)}, or the path of a local file"
            ) from None
        except OSError as error:
            raise ConfigError(
                f"model.weights: downloading '{weights}' failed ({error}). Download it elsewhere "
                "and give its path"
            ) from None
    return _load_backbone(network, state, weights)


def _foreign_state(path: Path) -> Mapping[str, Tensor]:
    """Tensors of a file from elsewhere; never unpickles objects."""
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise ConfigError(f"model.weights: {path} does not exist") from None
    except Exception as error:
        raise ConfigError(f"model.weights: {path} cannot be read as weights ({error})") from None
    inner = state.get("state_dict", state) if isinstance(state, dict) else {}
    tensors = inner if isinstance(inner, dict) else {}
    return {str(k): v for k, v in tensors.items() if isinstance(v, Tensor)}


def _load_backbone(network: DeepLabV2, state: Mapping[str, Tensor], where: str) -> str:
    """Load what fits into the whole network, else into the backbone; report what did not."""
    target: nn.Module = (
        network if any(k.startswith("backbone.") for k in state) else network.backbone
    )
    own = target.state_dict()
    fits = {k: v for k, v in state.items() if k in own and own[k].shape == v.shape}
    if not fits:
        raise ConfigError(
            f"model.weights: none of the {len(state)} entries of {where} fits {type(network)}; "
            f"wanted names like {', '.join(list(own)[:3])}"
        )
    missing = sorted(set(own) - set(fits))
    needed = [k for k in missing if not k.startswith("head.") and "num_batches_tracked" not in k]
    if needed:
        raise ConfigError(
            f"model.weights: {where} lacks {len(needed)} of the backbone's entries, first "
            f"{needed[0]}. Give weights of the same architecture as model.name"
        )
    target.load_state_dict(fits, strict=False)
    unexpected = sorted(set(state) - set(fits))
    sentence = (
        f"{where}: {len(fits)} matched, {len(missing)} missing {missing[:4]}, "
        f"{len(unexpected)} unexpected {unexpected[:4]}"
    )
    log.info("weights %s", sentence)
    return sentence


def save_model(network: nn.Module, path: Path, metadata: dict[str, str]) -> None:
    """Write a checkpoint as safetensors; it appears whole or not at all."""
    tensors = {name: value.contiguous().cpu() for name, value in network.state_dict().items()}
    with replacing(path) as partial:
        # One entry: safetensors writes several in random order; equal runs give equal files.
        partial.write_bytes(save(tensors, {"tpld": json.dumps(metadata, sort_keys=True)}))


def load_trained(config: Config, num_classes: int, path: Path, runtime: Runtime) -> nn.Module:
    """The network of a configuration with one of our checkpoints, on the device."""
    network = build_model(config, num_classes)
    load_model(network, path)
    return runtime.place(network)


def load_model(network: nn.Module, path: Path) -> dict[str, str]:
    """Load one of our checkpoints; returns its metadata.

    Raises:
        StoreError: the file is missing, cut short, or of another network.
    """
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            metadata = json.loads((file.metadata() or {}).get("tpld", "{}"))
        state = load_file(path)
    except (OSError, safetensors.SafetensorError) as error:
        raise StoreError(
            f"{path} is no whole checkpoint ({error}). Delete it and rerun its stage"
        ) from None
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        first = str(error).splitlines()[1].strip() if "\n" in str(error) else str(error)
        raise StoreError(
            f"{path} belongs to another network ({first}). Give the model section of the "
            "configuration that trained it, or rerun its stage"
        ) from None
    return metadata
