"""Which tensors of a file from elsewhere are a network's, whatever they are kept below.

An entry of the file belongs to an entry of the network if its dotted name ends in the network's own
name, or in the name that other libraries have for it, and the shapes are equal. What stands before
(``model.``, ``teacher.backbone.``, ``_orig_mod.module.``) has to be the same for all of them. Where
several such prefixes fit, the order is: the model itself, an average of it (EMA, SWA), a teacher,
then what `_LAST` names; among equals the one with the most entries, then the shorter.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping
from functools import cache
from typing import NamedTuple

import torch
import torchvision
from torch import Tensor

from tpld.errors import ConfigError
from tpld.models.network import Network

_AVERAGES = ("ema", "swa", "averaged")
_TEACHERS = ("teacher",)
_LAST = ("student", "momentum", "target", "discriminator", "optimizer", "encoder_k")
_COUNTERS = ("num_batches_tracked", "total_ops", "total_params")
_MOST_PREFIXES = 32
_MOST_SHOWN = 5


class Fit(NamedTuple):
    """How a file and a network go together.

    Attributes:
        prefix: what stands before the network's entries in the file, often nothing.
        names: the file's name of an entry, by the network's.
        needed: entries of the backbone that the file lacks, or has in another shape.
        alien: entries of the file that lie inside the network's backbone and are none of it.
        unexpected: entries of the file below the prefix that the network has no use for.
    """

    prefix: str
    names: dict[str, str]
    needed: list[str]
    alien: list[str]
    unexpected: list[str]

    @property
    def whole(self) -> bool:
        """Whether the backbone is the file's, no more and no less."""
        return not self.needed and not self.alien


def best_fit(network: Network, state: Mapping[str, Tensor], where: str) -> tuple[Fit, list[str]]:
    """The part of a file that a network can use; and the prefixes of others that would do, too.

    Args:
        network: the network; only names and shapes are looked at.
        state: tensors of a file by their dotted names (`tpld.models.foreign.read_tensors`).
        where: the file, for the error message.

    Raises:
        ConfigError: nothing fits, the backbone is not complete, or the file is another network's.
    """
    own = {name: tensor.shape for name, tensor in network.state_dict().items()}
    parts = {name.rsplit(".", n)[0] for name in own for n in range(1, name.count(".") + 1)}
    fits = [_fit(network, own, parts, state, prefix) for prefix in _prefixes(network, own, state)]
    if not fits:
        raise ConfigError(
            f"model.weights: none of the {len(state)} entries of {where} fits "
            f"{type(network).__name__}; wanted names like {', '.join(list(own)[:3])}, and the file "
            f"has {_listed(state)}"
        )
    whole = sorted((fit for fit in fits if fit.whole), key=_preference)
    if not whole:
        # The part that has most of the network, and least of another one.
        raise ConfigError(_refusal(network, state, max(fits, key=_closeness), where))
    return whole[0], [fit.prefix for fit in whole[1:] if not _within(fit, whole[0])]


def _within(fit: Fit, chosen: Fit) -> bool:
    """Whether both are the same entries: below ``model.``, and as torchvision's ``backbone.``."""
    return set(fit.names.values()) <= set(chosen.names.values())


def _closeness(fit: Fit) -> tuple[int, int]:
    return len(fit.names) - len(fit.needed), -len(fit.alien)


def _preference(fit: Fit) -> tuple[int, int, int]:
    words = [word for word in re.split(r"[._]", fit.prefix.lower()) if word]
    groups = (_LAST, _TEACHERS, _AVERAGES)
    ranks = [3 - i for i, group in enumerate(groups) if {*words, *fit.prefix.split(".")} & {*group}]
    return max(ranks, default=0), -len(fit.names), len(fit.prefix)


def _prefixes(
    network: Network, own: Mapping[str, torch.Size], state: Mapping[str, Tensor]
) -> list[str]:
    """What stands before names of the network in the file, the most frequent first."""
    wanted: dict[str, set[torch.Size]] = {}
    for name, shape in own.items():
        for form in _forms(name, network.renames):
            wanted.setdefault(form, set()).add(shape)
    counts: Counter[str] = Counter()
    for name, tensor in state.items():
        starts = [0, *(match.end() for match in re.finditer(r"\.", name))]
        counts.update(name[:i] for i in starts if tensor.shape in wanted.get(name[i:], ()))
    return [prefix for prefix, _ in counts.most_common(_MOST_PREFIXES)]


def _forms(name: str, renames: Mapping[str, str]) -> list[str]:
    """What an entry of ours may be called elsewhere; see `_own_name`."""
    found = [name, name.removeprefix("backbone.")]
    return found + [
        theirs + name.removeprefix(ours)
        for theirs, ours in renames.items()
        if name.startswith(ours)
    ]


def _own_name(bare: str, own: Collection[str], renames: Mapping[str, str]) -> str:
    """What an entry of a foreign file is called in our network."""
    if bare in own:
        return bare
    for theirs, ours in renames.items():
        if bare.startswith(theirs):
            return ours + bare.removeprefix(theirs)
    return bare if bare.startswith("backbone.") else f"backbone.{bare}"


def _fit(
    network: Network,
    own: Mapping[str, torch.Size],
    parts: set[str],
    state: Mapping[str, Tensor],
    prefix: str,
) -> Fit:
    below = [name for name in state if name.startswith(prefix)]
    ours = {name: _own_name(name[len(prefix) :], own, network.renames) for name in below}
    names = {
        ours[name]: name
        for name in below
        if ours[name] in own and own[ours[name]] == state[name].shape
    }
    optional = (*network.may_lack, "num_batches_tracked")
    needed = [
        name
        for name in own
        if name not in names and not (name.startswith(optional) or name.endswith(optional))
    ]
    unexpected = sorted(set(below) - set(names.values()))
    alien = [
        name
        for name in unexpected
        if ours[name] not in own and _is_alien(ours[name], parts, network.may_lack)
    ]
    return Fit(prefix, names, needed, alien, unexpected)


def _is_alien(name: str, modules: set[str], optional: tuple[str, ...]) -> bool:
    """Whether an entry lies in a part that the network has, and is not there: a seventh block.

    modules: dotted names of the network's. What stands beside those, such as a classifier, is none
    of the backbone.
    """
    if name.startswith(optional) or name.endswith(_COUNTERS):
        return False
    words = name.split(".")
    known = [n for n in range(1, len(words)) if ".".join(words[:n]) in modules]
    if max(known, default=0) > 1:
        return True
    return bool(known) and words[1].isdigit() and "backbone.0" in modules


def _refusal(network: Network, state: Mapping[str, Tensor], fit: Fit, where: str) -> str:
    """What is wrong with the best part of a file that no network of this kind can use."""
    looks = _torchvision_name(network, state, fit.prefix)
    guess = f" They are those of torchvision's {looks}." if looks else ""
    kind = type(network).__name__
    remedy = f"{guess} Give weights of the same architecture as model.name"
    if not fit.needed:
        return (
            f"model.weights: {where} holds {len(fit.alien)} entries of another network than "
            f"{kind} as configured, first {fit.alien[0]}: of a deeper or wider one? They would be "
            f"left out without a word.{remedy}"
        )
    bare = {_own_name(n[len(fit.prefix) :], set(fit.needed), network.renames): n for n in state}
    theirs = bare.get(fit.needed[0])
    has = ""
    if theirs is not None:
        wanted = network.state_dict()[fit.needed[0]].shape
        has = f" (it is {_shape(state[theirs].shape)} there, and {_shape(wanted)} here)"
    return (
        f"model.weights: {where} lacks {len(fit.needed)} of the backbone's entries, first "
        f"{fit.needed[0]}{has}.{remedy}"
    )


def _shape(shape: torch.Size) -> str:
    return "x".join(map(str, shape)) or "one number"


def _listed(state: Mapping[str, Tensor]) -> str:
    """The entries of a file by what they are kept below, for a message."""
    groups: dict[str, list[str]] = {}
    for name in state:
        groups.setdefault(name.partition(".")[0], []).append(name)
    shown = [
        f"{names[0]} ({len(names)} below {group})" if len(names) > 1 else names[0]
        for group, names in list(groups.items())[:_MOST_SHOWN]
    ]
    more = [f"{len(groups) - _MOST_SHOWN} more"] if len(groups) > _MOST_SHOWN else []
    return ", ".join(shown + more)


def _torchvision_name(network: Network, state: Mapping[str, Tensor], prefix: str) -> str | None:
    """The largest classification model of torchvision whose layers a file has, of one family."""
    family = re.match(r"[a-z]{1,4}", network.pretrained[0] if network.pretrained else "")
    if family is None:
        return None
    theirs = {name[len(prefix) :]: t.shape for name, t in state.items() if name.startswith(prefix)}
    bare = {name.removeprefix("backbone."): shape for name, shape in theirs.items()}
    found = {
        name: len(layers)
        for name, layers in _family(family[0]).items()
        if all(bare.get(key) == shape for key, shape in layers.items())
    }
    return max(found, key=lambda name: found[name], default=None)


@cache
def _family(stem: str) -> dict[str, dict[str, torch.Size]]:
    """Names and shapes of the layers of torchvision's models of a family, without classifiers."""
    found = {}
    for name in torchvision.models.list_models(module=torchvision.models):
        if stem not in name:
            continue
        with torch.device("meta"):
            known = torchvision.models.get_model(name, weights=None).state_dict()
        layers = [k for k in known if not k.startswith(("fc.", "classifier."))]
        found[name] = {k: known[k].shape for k in layers if not k.endswith(_COUNTERS)}
    return found
