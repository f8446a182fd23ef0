"""Loading and saving weights: torchvision's ImageNet weights, local files, our own checkpoints."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast, get_args

import safetensors
import torch
import torchvision
from safetensors.torch import load_file, save
from torch import Tensor, nn

from tpld.compute.runtime import Runtime
from tpld.config import Config
from tpld.errors import ConfigError, StoreError, TrainingError
from tpld.models.batchnorm import norms_of
from tpld.models.fit import best_fit
from tpld.models.foreign import read_tensors
from tpld.models.network import Heads, Network, loading_report
from tpld.models.registry import build_model
from tpld.stores.atomic import replacing

log = logging.getLogger(__name__)


def load_initial(network: Network, config: Config) -> str:
    """Load the weights that source training starts from; returns a sentence for the record.

    BatchNorm modules that stay random are noted in `network.random_norms`.

    Raises:
        ConfigError: the weights are neither ``random``, a name of the enum, nor a file that fits.
    """
    weights = config.model.weights
    said = network.load_own(weights)
    if said is None:
        if weights == "random":
            return "random"
        weights = network.file_of(weights)
        state = _of_enum(network, weights)
        if state is None:
            state = read_tensors(Path(weights).expanduser())
        said = _load_foreign(network, state, weights)
    log.info("weights %s", said)
    return said


def check_initial(config: Config, num_classes: int, heads: Heads = "single") -> Network:
    """Find what `load_initial` would refuse, from names and shapes alone: before any training.

    Nothing is downloaded; a name of torchvision's enum has to be a known one.

    Returns:
        The network on the device ``meta``; `random_norms` are noted where a file was looked at.

    Raises:
        ConfigError: see `load_initial`; or there is no such network.
    """
    weights = config.model.weights
    with torch.device("meta"):
        network = build_model(config, num_classes, heads)
    if weights == "random" or network.check_own(weights):
        return network
    weights = network.file_of(weights)
    if weights not in _enum(network):
        _check_name(network, weights)
        state = read_tensors(Path(weights).expanduser(), shapes_alone=True)
        fit, _ = best_fit(network, state, weights)
        network.random_norms = norms_of(network, set(network.state_dict()) - set(fit.names))
    return network


def still_to_download(network: Network, weights: str) -> str | None:
    """Address of torchvision's weights of that name, where this machine does not have them yet."""
    if weights == "random" or network.check_own(weights):
        return None
    entry = _enum(network).get(network.file_of(weights))
    if entry is None:
        return None
    there = Path(torch.hub.get_dir(), "checkpoints", Path(entry.url).name)
    return None if there.exists() else entry.url


def _enum(network: Network) -> dict[str, Any]:
    """torchvision's weights by name; the backbone's own enum comes first."""
    enums = [torchvision.models.get_model_weights(name) for name in network.pretrained]
    return {entry: enum[entry] for enum in reversed(enums) for entry in enum.__members__}


def _check_name(network: Network, weights: str) -> None:
    """ConfigError for what is neither a name of the enum nor looks like a path."""
    path = Path(weights)
    if path.suffix or len(path.parts) > 1 or path.exists():
        return
    names = ", ".join(name for name in _enum(network) if name != "DEFAULT")
    raise ConfigError(
        f"model.weights: '{weights}' is unknown for {network.pretrained[0]}; known: random, "
        f"DEFAULT, {names}, or the path of a local file"
    )


def _of_enum(network: Network, weights: str) -> Mapping[str, Tensor] | None:
    """torchvision's weights of that name; None for the path of a file."""
    known = _enum(network)
    if weights not in known:
        _check_name(network, weights)
        return None
    try:
        return known[weights].get_state_dict(progress=False, check_hash=True)
    except OSError as error:
        raise ConfigError(
            f"model.weights: downloading '{weights}' failed ({error}). Download it elsewhere "
            "and give its path"
        ) from None


def _load_foreign(network: Network, state: Mapping[str, Tensor], where: str) -> str:
    """Load what fits, by our names or by torchvision's; report what did not."""
    fit, others = best_fit(network, state, where)
    odd = [name for name in fit.names.values() if not state[name].isfinite().all()]
    if odd:
        raise ConfigError(
            f"model.weights: {where} holds values that are not finite ({len(odd)} entries, first "
            f"{odd[0]}). Its training diverged, or it is damaged: give another checkpoint"
        )
    if fit.prefix:
        also = f" (also there: {', '.join(others)})" if others else ""
        log.info("weights of %s are those below '%s'%s", where, fit.prefix, also)
    missing = set(network.state_dict()) - set(fit.names)
    network.load_state_dict({ours: state[name] for ours, name in fit.names.items()}, strict=False)
    network.random_norms = norms_of(network, missing)
    return loading_report(where, len(fit.names), missing, fit.unexpected)


def save_model(network: nn.Module, path: Path, metadata: dict[str, Any]) -> None:
    """Write a checkpoint as safetensors; it appears whole or not at all.

    The metadata gain ``heads``, so that `load_trained` knows which network to build, and
    ``sha256``, for safetensors has no checksum of its own.

    Raises:
        TrainingError: a weight is not finite: the last step's update can do that, and no loss
            has been computed since.
    """
    tensors = {name: value.contiguous().cpu() for name, value in network.state_dict().items()}
    bad = [name for name, t in tensors.items() if t.is_floating_point() and not t.isfinite().all()]
    if bad:
        raise TrainingError(
            f"training ended in weights that are not finite ({len(bad)} tensors, first {bad[0]}). "
            "Lower the learning rate or use compute.precision: float32, and rerun"
        )
    if isinstance(network, Network):
        metadata = {**metadata, "heads": network.heads}
    metadata = {**metadata, "sha256": _checksum(tensors, metadata)}
    with replacing(path) as partial:
        # One entry: safetensors writes several in random order; equal runs give equal files.
        partial.write_bytes(save(tensors, {"tpld": json.dumps(metadata, sort_keys=True)}))


def _checksum(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> str:
    """SHA-256 of names, types, shapes and bytes of the tensors, and of the other metadata."""
    hasher = hashlib.sha256()
    others = {key: value for key, value in metadata.items() if key != "sha256"}
    hasher.update(json.dumps(others, sort_keys=True).encode())
    for name in sorted(tensors):
        tensor = tensors[name].contiguous()
        hasher.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        hasher.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return hasher.hexdigest()


def has_right_checksum(path: Path) -> bool:
    """Whether a checkpoint of ours, readable as safetensors, is as it was written.

    Raises:
        OSError, ValueError, safetensors.SafetensorError: it cannot be read.
    """
    with safetensors.safe_open(path, framework="pt") as file:
        metadata = _metadata_of(file)
    return metadata.get("sha256") == _checksum(load_file(path), metadata)


def load_trained(
    config: Config, num_classes: int, path: Path, runtime: Runtime, heads: Heads | None = None
) -> Network:
    """The network of a configuration with one of our checkpoints, on the device.

    Args:
        config: the configuration that trained it, or one with the same network.
        num_classes: K.
        path: the checkpoint.
        runtime: device and memory format.
        heads: heads of the network; a second one that the checkpoint lacks stays random. None:
            those of the checkpoint.

    Raises:
        StoreError: the file is missing, cut short, or of another network.
    """
    network = build_model(config, num_classes, heads or _heads_of(path))
    load_model(network, path)
    runtime.place(network)
    return network


def _heads_of(path: Path) -> Heads:
    """Heads of the network that a checkpoint is of; a file that cannot be read says ``single``."""
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            said = _metadata_of(file).get("heads", "single")
    except (OSError, ValueError, safetensors.SafetensorError):
        return "single"  # load_model will say what is wrong
    return cast(Heads, said) if said in get_args(Heads) else "single"


def _metadata_of(file: Any) -> dict[str, str]:
    """Ours, of an open safetensors file; ValueError if they are no such thing."""
    found = json.loads((file.metadata() or {}).get("tpld", "{}"))
    if not isinstance(found, dict):
        raise ValueError("its metadata are damaged")
    return found


def load_model(network: nn.Module, path: Path) -> dict[str, Any]:
    """Load one of our checkpoints; returns its metadata.

    A second head that the checkpoint lacks stays as it is, and the log says so.

    Raises:
        StoreError: the file is missing, cut short, damaged, or of another network.
    """
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            metadata = _metadata_of(file)
        state = load_file(path)
        if metadata.get("sha256") != _checksum(state, metadata):
            raise ValueError("its checksum is wrong or missing: it is damaged, or foreign")
    # The library raises these and, on odd headers, others of Python's own.
    except (OSError, ValueError, TypeError, OverflowError, safetensors.SafetensorError) as error:
        raise StoreError(
            f"{path} is no whole checkpoint ({error}). Delete it and rerun its stage"
        ) from None
    extra = {k: v for k, v in network.state_dict().items() if k.startswith("head.extra.")}
    lacking = sorted(set(extra) - set(state))
    if lacking and len(lacking) == len(extra):
        state |= extra
        log.info("%s", loading_report(str(path), len(state) - len(extra), lacking, []))
    if isinstance(network, Network):
        network.random_norms = norms_of(network, lacking)
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        first = str(error).splitlines()[1].strip() if "\n" in str(error) else str(error)
        raise StoreError(
            f"{path} belongs to another network ({first}). Give the model section of the "
            "configuration that trained it, or rerun its stage"
        ) from None
    return {key: value for key, value in metadata.items() if key != "sha256"}
