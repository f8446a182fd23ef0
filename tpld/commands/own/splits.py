"""Which images are trained on and which are evaluated: somebody's own folders and lists first."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from tpld.commands.own.discover import Domain, part_of
from tpld.commands.own.folder_names import split_of
from tpld.commands.own.pairing import composed
from tpld.data.listing import IMAGES, shown

_LISTS = {
    "train": ("train.txt", "training.txt"),
    "val": ("val.txt", "valid.txt", "validation.txt", "test.txt"),
}
_PLACES = ("", "splits", "lists", "ImageSets/Segmentation", "ImageSets", "ImageSets/Main")


@dataclass
class Entry:
    """One domain of the configuration.

    Attributes:
        domain: its files.
        train: names; None: every image, so that no list is needed.
        val: names; None: there is no evaluation on it.
        labels: its labels are used.
        name: where there are several; empty otherwise.
        weight: how often it is drawn beside the others.
    """

    domain: Domain
    train: list[str] | None
    val: list[str] | None
    labels: bool
    name: str = ""
    weight: int = 1

    @property
    def trained_on(self) -> list[str]:
        """Names of the training images."""
        return self.domain.names if self.train is None else self.train


@dataclass
class Plan:
    """The domains of one side, and what somebody should know about them."""

    entries: list[Entry] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def plan_source(domains: list[Domain], root: Path) -> Plan:
    """Images with a label are trained on; an own validation part is kept for evaluation."""
    plan = Plan()
    for domain, part in zip(domains, _folder_parts(domains, "source", plan.notes), strict=True):
        lacking = len(domain.names) - len(domain.labelled)
        if lacking:
            plan.notes.append(f"source: {lacking} images without a label are left out")
        parts = _parts(domain, part, domain.labelled, root, plan.notes, "source")
        train, val = parts or (domain.labelled, [])
        plan.entries.append(Entry(domain, train, val or None, labels=True))
    return _finished(plan, "source")


def plan_target(domains: list[Domain], root: Path, val_share: float) -> Plan:
    """All images are adapted to but those that are kept for evaluation, which need labels.

    Of labelled images the last `val_share` by name are kept, at least one; where only some images
    have labels, and these are the minority, all of them.
    """
    plan = Plan()
    folders = _folder_parts(domains, "target", plan.notes)
    scored = [d for d, part in zip(domains, folders, strict=True) if part == "val" and d.labelled]
    for domain, part in zip(domains, folders, strict=True):
        parts = _parts(domain, part, domain.names, root, plan.notes, "target")
        if parts is not None and (parts[1] or scored):
            plan.entries += _own_parts(domain, *parts, plan.notes)
            continue
        names = parts[0] if parts else domain.names
        plan.entries += _kept_apart(domain.of(names), val_share, plan.notes)
    return _finished(plan, "target")


def _folder_parts(domains: list[Domain], side: str, notes: list[str]) -> list[str | None]:
    """What the folders above each domain say it is for; a test part alone is for evaluation."""
    parts = [part_of(domain) for domain in domains]
    if "test" in parts and "val" not in parts and "train" in parts:
        notes.append(f"{side}: the test part is evaluated on")
        return ["val" if part == "test" else part for part in parts]
    if "train" not in parts and None not in parts:  # then there is nothing else to train on
        return [None for _ in parts]
    return parts


def _own_parts(domain: Domain, train: list[str], val: list[str], notes: list[str]) -> list[Entry]:
    """Entries of a target with own parts for training and evaluation."""
    labelled = set(domain.labelled)
    scored = [name for name in val if name in labelled]
    if len(scored) < len(val) and domain.labels:
        notes.append(
            f"target: {len(val) - len(scored)} of {len(val)} images of its validation part have no "
            "label and are left out"
        )
    if not scored:
        every = set(train) <= labelled and bool(labelled)
        return [Entry(domain, train, val or None, labels=every)]
    if set(train) <= labelled:
        return [Entry(domain, train, scored, labels=True)]
    return [
        Entry(domain, train, None, labels=False, name="adapted_to"),
        Entry(domain, [], scored, labels=True, name="evaluated"),
    ]


def _kept_apart(domain: Domain, val_share: float, notes: list[str]) -> list[Entry]:
    names, labelled = domain.names, domain.labelled
    other = [name for name in names if name not in domain.label_files]
    if not labelled:
        return [Entry(domain, names, None, labels=False)]
    if len(names) == 1 or not val_share:
        why = "--val-share is 0" if not val_share else "its only image is adapted to"
        notes.append(f"target: nothing is evaluated, for {why}")
        return [Entry(domain, names, None, labels=not other)]
    if not other:
        kept = min(max(1, round(val_share * len(names))), len(names) - 1)
        return [Entry(domain, names[:-kept], names[-kept:], labels=True)]
    if len(other) >= len(labelled):
        kept = len(labelled)
    else:
        kept = min(max(1, round(val_share * len(names))), len(labelled))
    val = labelled[-kept:]
    scored = set(val)
    notes.append(
        f"target: {len(labelled)} of {len(names)} images have labels. {kept} of them are evaluated "
        f"on, the other {len(names) - kept} images are adapted to"
    )
    return [
        Entry(domain, [n for n in names if n not in scored], None, labels=False, name="adapted_to"),
        Entry(domain, [], val, labels=True, name="evaluated"),
    ]


def _finished(plan: Plan, side: str) -> Plan:
    """Names and weights of several domains; whole folders need no list.

    Each domain is drawn from as often as its number of images asks, as if they were one.
    """
    entries = plan.entries = [e for e in plan.entries if e.trained_on or e.val]
    for entry in entries:
        if len(entries) == 1:
            entry.name = ""
        elif not entry.name or entry.domain.part:
            part = re.sub(r"[^\w.-]", "_", entry.domain.part)
            entry.name = "_".join(filter(None, (part, entry.name)))
        entry.weight = max(1, len(entry.trained_on))
    twice = [name for name, n in Counter(e.name for e in entries).items() if n > 1 or not name]
    for place, entry in enumerate(entries):
        if len(entries) > 1 and entry.name in twice:
            entry.name = f"{entry.name or side}_{place}"
    return plan


def _parts(
    domain: Domain,
    of_folder: str | None,
    names: list[str],
    root: Path,
    notes: list[str],
    side: str,
) -> tuple[list[str], list[str]] | None:
    """Training and validation images as somebody has parted them already; None: nobody has."""
    if of_folder is not None:
        if of_folder == "test":
            notes.append(f"{side}: {len(names)} images of the test part are left out")
        return (names if of_folder == "train" else [], names if of_folder == "val" else [])
    return _by_folders(names, notes, side) or _by_lists(domain, names, root, notes, side)


def _by_folders(
    names: list[str], notes: list[str], side: str
) -> tuple[list[str], list[str]] | None:
    of = {name: split_of(PurePosixPath(name).parts[:-1]) for name in names}
    count = Counter(of.values())
    if not count["train"] or not (count["val"] or count["test"]):
        return None
    val = "val" if count["val"] else "test"
    if val == "val" and count["test"]:
        notes.append(f"{side}: {count['test']} images of the folder test are left out")
    if count[None]:
        notes.append(f"{side}: {count[None]} images outside of train and {val} are trained on")
    notes.append(
        f"{side}: the folders train and {val} are respected ({count[val]} images to score)"
    )
    train = [name for name in names if of[name] in ("train", None)]
    return train, [name for name in names if of[name] == val]


def _by_lists(
    domain: Domain, names: list[str], root: Path, notes: list[str], side: str
) -> tuple[list[str], list[str]] | None:
    """Lists called train.txt and val.txt, beside the images or in a usual place below."""
    for above in dict.fromkeys((root, domain.images, domain.images.parent)):
        for place in _PLACES:
            files = {
                part: next((f for n in called if (f := above / place / n).is_file()), None)
                for part, called in _LISTS.items()
            }
            if files["train"] is None or files["val"] is None:
                continue
            read = {part: _listed(file, names, domain) for part, file in files.items() if file}
            if not all(found for found, _ in read.values()):
                notes.append(f"{side}: {files['train']} and {files['val']} name none of its images")
                continue
            for part, (_, strange) in read.items():
                if strange:
                    notes.append(
                        f"{side}: {len(strange)} lines of {files[part]} name no image"
                        f"{'' if part == 'val' else ' with a label'}, first '{shown(strange[0])}'"
                    )
            train, val = read["train"][0], read["val"][0]
            left = len(names) - len({*train, *val})
            if left:
                notes.append(f"{side}: {left} images are in neither list and are left out")
            notes.append(f"{side}: {files['train']} and {files['val']} are respected")
            return [name for name in train if name not in set(val)], val
    return None


def _listed(file: Path, names: list[str], domain: Domain) -> tuple[list[str], list[str]]:
    """Names in a list, as tools write them: with a suffix or without, from any folder on, and
    perhaps with the label behind; and the lines that are no name."""
    known = {composed(name): name for name in names}
    short: dict[str, str | None] = {}
    for name in names:
        base = composed(PurePosixPath(name).name)
        short[base] = None if base in short else name
    found: dict[str, None] = {}
    strange: list[str] = []
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError):
        return [], []
    for line in filter(None, (line.strip() for line in lines)):
        name = next(
            (n for w in _spellings(line, domain) if (n := known.get(w) or short.get(w))), None
        )
        if name is None:
            strange.append(line)
        else:
            found[name] = None
    return list(found), strange


def _spellings(line: str, domain: Domain) -> list[str]:
    """How the name in a line may be meant."""
    words = [line, line.split()[0], line.split(",")[0]]
    made: list[str] = []
    for word in map(composed, words):
        endings = [s for s in domain.image_suffixes if word.endswith(s)]
        bare = word.removesuffix(max(endings, key=len)) if endings else word
        if not endings and PurePosixPath(word).suffix.lower() in IMAGES:
            bare = str(PurePosixPath(word).with_suffix(""))
        parts = PurePosixPath(bare).parts
        made += [bare, *("/".join(parts[i:]) for i in range(1, len(parts)))]
    return made
