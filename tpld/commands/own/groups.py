"""Pairs of folders of images and labels below a folder, by what they are called."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from tpld.commands.own.folder_names import Place, place_of, preference, role_of
from tpld.data.listing import shown
from tpld.errors import DataError


@dataclass
class Group:
    """A folder of images.

    Attributes:
        images: the folder.
        files: in it, relative names.
        labels: folders that may hold their labels.
        part: what a folder above both is called; empty for an only pair.
        given: the folder of labels was named by the user.
        notes: what was left out.
    """

    images: Path
    files: list[str]
    labels: list[Path]
    part: str = ""
    given: bool = False
    notes: list[str] = field(default_factory=list)


def groups_of(folder: Path, files: list[str], labels: Path | None) -> list[Group]:
    """Find pairs of folders by what they are called, at any level, in any case.

    Args:
        folder: where the files are.
        files: relative names of all images there.
        labels: folder of the labels, where somebody names it.

    Raises:
        DataError: no file is an image by its place, or one folder of labels is given for several
            of images.
    """
    inside = _relative(labels, folder) if labels else None
    if inside:
        files = [f for f in files if not f.startswith(f"{inside}/")]
    places = {file: place_of(file) for file in files}
    by_key: dict[tuple[str, ...], dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for file, place in places.items():
        if place.role in ("image", "label"):
            by_key[place.key][place.folder].append(file)
    roles = {place.folder: place.role for place in places.values() if place.role}
    plain = [file for file, place in places.items() if place.role is None]
    made = [_of_key(folder, key, folders, roles, plain) for key, folders in sorted(by_key.items())]
    groups = [group for group in made if group is not None]
    if not groups:
        groups = [Group(folder, plain, [])]
    if not any(group.files for group in groups):
        there = sorted({p.folder for p in places.values()} - {""})
        raise DataError(
            f"no image below {folder} but in folders that are called like labels or depth maps: "
            f"{', '.join(there)}. Give the folder of the images itself"
        )
    groups = [group for group in groups if group.files]
    _note_left_out(groups, plain, places)
    if labels is not None:
        if len(groups) > 1:
            raise DataError(
                f"{folder} has {len(groups)} folders of images ({groups[0].images}, "
                f"{groups[1].images}, ...) for one folder of labels. Give one of them"
            )
        groups[0].labels, groups[0].given = [labels], True
    elif len(groups) == 1 and not groups[0].labels:
        groups[0].labels = _beside(groups[0].images)
    return groups


def _of_key(
    folder: Path,
    key: tuple[str, ...],
    folders: dict[str, list[str]],
    roles: dict[str, str],
    plain: list[str],
) -> Group | None:
    """What is in the folders of one key; None where nothing in them is an image."""
    labelled = [name for name in sorted(folders) if roles[name] == "label"]
    labels = [folder / name for name in labelled]
    named = sorted((f for f in folders if roles[f] == "image"), key=lambda f: (preference(f), f))
    part = "/".join(key)
    if not named:
        above = f"{part}/" if part else ""
        files = [f.removeprefix(above) for f in plain if f.startswith(above)]
        inner = _only_folder(files, [f for name in labelled for f in folders[name]], labelled)
        files = [f.removeprefix(f"{inner}/") for f in files]
        return Group(folder / part / inner, files, labels, part) if files else None
    first = named[0]
    files = [f.removeprefix(f"{first}/") for f in folders[first]]
    group = Group(folder / first, files, labels, part)
    if named[1:]:
        group.notes.append(f"images are those in {first}; left out: {', '.join(named[1:])}")
    return group


def _only_folder(images: list[str], labels: list[str], folders: list[str]) -> str:
    """The one folder that all images are in, such as `color` beside `masks`; empty where there are
    several, or where the labels are in one that is called so, too."""
    inner = {PurePosixPath(f).parts[0] if "/" in f else "" for f in images}
    if len(inner) != 1:
        return ""
    only = inner.pop()
    same = any(f.startswith(f"{name}/{only}/") for name in folders for f in labels)
    return "" if same else only


def _note_left_out(groups: list[Group], plain: list[str], places: dict[str, Place]) -> None:
    used = {str(group.images / file) for group in groups for file in group.files}
    root = groups[0].images
    lost = [f for f in plain if not any(path.endswith(f"/{f}") for path in used)]
    if lost:
        groups[0].notes.append(
            f"{len(lost)} images outside of {root.name}/ and the like are left out, first "
            f"{shown(lost[0])}"
        )
    others = Counter(place.folder for place in places.values() if place.role == "other")
    for name, count in sorted(others.items()):
        groups[0].notes.append(f"{count} files in {name} are taken for no images of the camera")


def _relative(path: Path, folder: Path) -> str:
    """Path below a folder; empty where it is not below it."""
    inside = os.path.relpath(path.absolute(), folder.absolute())
    return "" if inside.startswith("..") or inside == "." else PurePosixPath(inside).as_posix()


def _beside(images: Path) -> list[Path]:
    """Folders that may hold the labels of a folder of images: beside it, or beside one above."""
    found: list[Path] = []
    images = images.absolute()
    for above in (images, *list(images.parents)[:2]):
        role, rest = role_of(above.name)
        if role not in ("image", None) or not above.parent.is_dir():
            continue
        for other in sorted(above.parent.iterdir()):
            mine, same = role_of(other.name)
            wanted = rest if role == "image" else above.name
            if mine == "label" and same == wanted and other.is_dir():
                inner = other / images.relative_to(above)
                found += [inner] if inner.is_dir() else []
    here = Path.cwd()
    return [path.relative_to(here) if path.is_relative_to(here) else path for path in found]
