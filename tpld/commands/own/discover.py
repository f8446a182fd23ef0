"""What lies in somebody's folders: which files are images, and which label belongs to which."""

from __future__ import annotations

import os
import shlex
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from tpld.commands.own.folder_names import split_of
from tpld.commands.own.groups import Group, groups_of
from tpld.commands.own.pairing import Pairs, pair
from tpld.commands.own.sides import without_sides
from tpld.data.annotations.recognise import recognise
from tpld.data.listing import Listing, image_files, nothing_there, shown
from tpld.data.opened import image_size as size_of_file
from tpld.errors import DataError

# Images whose sizes are looked at: evenly spread.
_SAMPLE = 1000


@dataclass(frozen=True)
class Domain:
    """Images of one pair of folders, and the labels of those that have one.

    Attributes:
        images: folder.
        labels: folder, or None.
        image_suffixes: what follows a name in the image folder.
        label_suffixes: what follows a name in the label folder.
        image_files: path of each image by its name, in natural order.
        label_files: path of the label of each image that has one, in the same order.
        part: what a folder above both is called: ``train``, a sequence; empty for an only pair.
        linked: files lie behind links that lead out of the folders.
        notes: what somebody should know about these files.
    """

    images: Path
    labels: Path | None
    image_suffixes: list[str]
    label_suffixes: list[str]
    image_files: dict[str, Path]
    label_files: dict[str, Path]
    part: str = ""
    linked: bool = False
    notes: list[str] = field(default_factory=list)

    @property
    def names(self) -> list[str]:
        """Of all images."""
        return list(self.image_files)

    @property
    def labelled(self) -> list[str]:
        """Of the images with a label."""
        return list(self.label_files)

    def of(self, names: Sequence[str]) -> Domain:
        """The same domain with some of its images."""
        wanted = set(names)
        return replace(
            self,
            image_files={n: f for n, f in self.image_files.items() if n in wanted},
            label_files={n: f for n, f in self.label_files.items() if n in wanted},
        )


def find_domains(
    folder: Path, labels: Path | None = None, want_labels: bool = False
) -> list[Domain]:
    """Find images and labels in a folder that somebody names.

    Args:
        folder: of the images; or one that holds folders such as ``images`` and ``labels``, or
            folders with such pairs in them.
        labels: folder of the label files; None: beside the images, where there is one.
        want_labels: without labels this is an error.

    Returns:
        One domain for each pair of folders.

    Raises:
        DataError: no such folder, no image in it, two images of one name, or no label where labels
            are needed.
    """
    if not folder.is_dir():
        raise DataError(f"{folder} is no folder. Give the folder that holds the images")
    listing = image_files(folder, follow_links=True)
    if not listing.names:
        raise DataError(nothing_there(listing) + _annotations(folder, listing))
    if listing.not_utf8:
        raise DataError(
            f"the names of {len(listing.not_utf8)} images below {folder} are not UTF-8, first "
            f"'{listing.not_utf8[0]}': no list can hold them. Rename them"
        )
    _check_names(folder, listing.names)
    if labels is not None and not labels.is_dir():
        raise DataError(f"{labels} is no folder. Give the folder that holds the label files")
    groups = groups_of(folder, listing.names, labels)
    found = [_domain(group, want_labels) for group in groups]
    if want_labels and not any(domain.label_files for domain in found):
        raise DataError(
            f"no labels beside {found[0].images}. The source needs label files: give their folder "
            "(--source-labels), or name it 'labels' beside the images"
            + (_annotations(found[0].images, listing) or _annotations(folder, listing))
        )
    return [domain for domain in found if domain.label_files or not want_labels]


def _domain(group: Group, want_labels: bool) -> Domain:
    """Images, labels and suffixes of a group."""
    together = group.given and group.labels[0].absolute() == group.images.absolute()
    sides = without_sides(group.images, group.files, any_tail=together)
    notes = [*group.notes, *([] if together else sides.notes)]
    stems = sides.images
    found = _labels(group, list(stems), sides.labels, want_labels, notes)
    named = {
        stem.removesuffix(found.tail): file
        for stem, file in stems.items()
        if stem.endswith(found.tail)
    }
    if len(named) < len(stems):
        notes.append(
            f"{len(stems) - len(named)} images of {group.images} do not end in '{found.tail}' as "
            "the others do, and are left out"
        )
    suffixes = Counter(file[len(name) :] for name, file in named.items())
    images = {name: group.images / file for name, file in named.items()}
    labels = {name: found.files[name] for name in named if name in found.files}
    return Domain(
        images=group.images,
        labels=found.folder if labels else None,
        image_suffixes=[suffix for suffix, _ in suffixes.most_common()],
        label_suffixes=found.suffixes if labels else [".png"],
        image_files=images,
        label_files=labels,
        part=group.part,
        linked=_linked(group.images, images) or bool(labels and _linked(found.folder, labels)),
        notes=notes,
    )


@dataclass
class _Labels:
    folder: Path
    tail: str = ""
    suffixes: list[str] = field(default_factory=list)
    files: dict[str, Path] = field(default_factory=dict)


def _labels(
    group: Group, stems: list[str], sides: list[str], needed: bool, notes: list[str]
) -> _Labels:
    """The labels of a group's images: the folder, and of several the one that fits best."""
    tries: list[tuple[Path, Listing]] = [
        (path, image_files(path, follow_links=True)) for path in group.labels
    ]
    if sides and not group.given:
        tries.append((group.images, Listing(group.images, names=sides)))
    best: tuple[Path, Pairs] | None = None
    for path, listing in tries:
        same = path.absolute() == group.images.absolute()
        names = sides if same else listing.names
        pairs = pair(stems, path, names)
        if pairs.files and (best is None or pairs.goodness > best[1].goodness):
            best = (path, pairs)
    if best is None:
        if group.given or (needed and tries):
            path, listing = tries[0]
            raise DataError(_no_pair(path, listing, stems))
        notes.extend(
            f"{path} looks like labels, but {_no_pair(path, listing, stems)}"
            for path, listing in tries
            if listing.names
        )
        return _Labels(group.images)
    path, pairs = best
    others = [f"{other}" for other, _ in tries if other != path]
    if others:
        notes.append(f"labels are those in {path}; left out: {', '.join(others)}")
    if pairs.left_out:
        kinds = ", ".join(f"*{suffix} ({n})" for suffix, n in pairs.left_out.items())
        used = ", ".join(f"*{s}" for s in pairs.suffixes)
        notes.append(f"labels are {used} in {path}; images have other files there, too: {kinds}")
    return _Labels(path, pairs.tail, pairs.suffixes, pairs.files)


def _no_pair(path: Path, listing: Listing, stems: list[str]) -> str:
    if not listing.names:
        return nothing_there(listing) + _annotations(path, listing)
    return (
        f"none of the {len(listing.names)} files below {path} has the name of an image "
        f"(first image '{shown(stems[0])}', first label '{shown(listing.names[0])}'). Rename "
        "them, or give the folder whose files are called like the images"
    )


def _annotations(folder: Path, listing: Listing) -> str:
    """What to do with annotations that lie there in place of label files."""
    form = recognise(folder) if {".json", ".xml"} & set(listing.others) else None
    if form is None:
        return ""
    command = f"tpld import-labels {shlex.quote(str(folder))} --out FOLDER"
    return f". There are annotations of {form}: `{command}` makes label files of them"


def _check_names(folder: Path, names: list[str]) -> None:
    """Refuse names that no list can hold: one name is one line, without blanks around it."""
    for name in names:
        stem = str(PurePosixPath(name).with_suffix(""))
        if len(stem.splitlines()) != 1 or stem != stem.strip():
            raise DataError(
                f"the name of {folder}/{shown(name)!r} has a line break, or a blank at one end, so "
                "that no list of images can hold it. Rename it"
            )


def _linked(folder: Path, files: dict[str, Path]) -> bool:
    """Whether a file lies outside of its folder, behind a link."""
    inside = os.path.realpath(folder) + os.sep
    return any(not os.path.realpath(file).startswith(inside) for file in files.values())


def spread(names: Sequence[str], count: int = _SAMPLE) -> list[str]:
    """At most `count` names, evenly spread."""
    step = max(1, -(-len(names) // count))
    return list(names[::step])


def image_size(domain: Domain) -> tuple[int, int]:
    """Most frequent (height, width) of a domain's images."""

    def size_of(name: str) -> tuple[int, int] | None:
        try:
            return size_of_file(domain.image_files[name])
        except DataError:
            return None  # check-data will name the file

    with ThreadPoolExecutor() as pool:
        sizes = Counter(s for s in pool.map(size_of, spread(domain.names)) if s is not None)
    if not sizes:
        raise DataError(f"no image of {domain.images} can be read")
    return sizes.most_common(1)[0][0]


def part_of(domain: Domain) -> str | None:
    """``train``, ``val`` or ``test``, where a folder above a domain is called so."""
    return split_of(domain.part.split("/"))
