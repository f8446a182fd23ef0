"""`tpld export-labels` for annotation tools: pseudo labels to look at, and to correct there."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image

from tpld.commands.export_labels import kept, shares
from tpld.commands.of_domain import Chosen, domains_of_store, images_of
from tpld.commands.palette import colors_of, write_legend
from tpld.commands.show import Page
from tpld.compute.overlap import overlap
from tpld.compute.progress import progress
from tpld.config import Config
from tpld.data.annotations import coco, cvat, labelstudio
from tpld.data.annotations.base import Size
from tpld.data.annotations.images import ImageFolder, looks
from tpld.errors import ConfigError, DataError
from tpld.stages.common import write_text
from tpld.stores.atomic import replacing
from tpld.stores.labels import Labels

Tool = Literal["coco", "cvat", "labelstudio"]
FILES: dict[Tool, str] = {"coco": coco.FILE, "cvat": cvat.FILE, "labelstudio": labelstudio.FILE}
_NEXT: dict[Tool, str] = {
    "coco": "any tool that reads COCO's masks; category ids count from 1",
    "cvat": "in CVAT: a task of the same images, Actions, Upload annotations, CVAT 1.1",
    "labelstudio": f"in Label Studio: paste {labelstudio.CONFIG} as labeling interface, import "
    f"{labelstudio.FILE}",
}


def export_annotations(
    path: Path,
    out: Path,
    form: Tool,
    images: Path | None,
    address: str | None = None,
    min_score: float = 0.0,
    config: Config | None = None,
    domain: str | None = None,
) -> Page:
    """Write a label store as one file of an annotation tool, and ``classes.csv`` beside it.

    Each class of an image becomes a mask, so that the file holds exactly the pixels of the store,
    brought to the size of the image file where that was resized for training.

    Args:
        path: a labels store.
        out: folder to write into.
        form: the tool.
        images: folder of the images that are to be annotated: names and sizes come from there.
        address: what stands before names in Label Studio's tasks; None: its local files.
        min_score: leave out labels whose `score` in the store is below.
        config: where colours and domains come from; None: the experiment around the store.
        domain: of several domains of the target the one that `images` are of.

    Raises:
        ConfigError: no folder or domain of images, or an optional package is missing.
        DataError: an image of the store is not in the folder.
        StoreError: no whole label store.
    """
    store = Labels(path)
    chosen = _one_domain(store, domain, config)
    names, sizes = _images(store, chosen.names, images, form)
    colors = colors_of(store.classes, path, config)
    counts = np.zeros(256, np.int64)

    def fitted(i: int, label: np.ndarray) -> np.ndarray:
        counts[:] += np.bincount(label.ravel(), minlength=256)
        return _resized(label, sizes[i])

    out.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        partial = stack.enter_context(replacing(out / FILES[form]))
        tick = stack.enter_context(progress("exporting labels", len(names)))
        file = stack.enter_context(partial.open("w", encoding="utf-8"))
        writer = _writer(form, file, store.classes, colors, address)
        overlap(
            len(names),
            lambda i: kept(store, chosen.places[i], min_score),
            fitted,
            lambda i, label: writer.add(names[i], label),
            tick,
        )
        writer.close()
    if form == "labelstudio":
        write_text(out / labelstudio.CONFIG, labelstudio.labeling_config(store.classes, colors))
    write_legend(store.classes, list(range(len(store.classes))), colors, out / "classes.csv")
    pairs = zip(chosen.places, sizes, strict=True)
    resized = sum(store.size(place) != size for place, size in pairs)
    return _page(store, out / FILES[form], form, counts, (resized, len(names)))


def _resized(label: np.ndarray, size: Size) -> np.ndarray:
    """A label map in the size of the image file, which was resized for training."""
    if label.shape == size:
        return label
    height, width = size
    return np.asarray(Image.fromarray(label).resize((width, height), Image.Resampling.NEAREST))


def _one_domain(store: Labels, domain: str | None, config: Config | None) -> Chosen:
    """The images of one domain: others, in folders of their own, may have files of their names."""
    several = domains_of_store(store, config)
    if several and domain is None:
        raise ConfigError(
            f"{store.path} is of {len(several)} domains, whose images lie in a folder each: give "
            f"--domain, one of {', '.join(several)}, and its folder as --images; once a domain"
        )
    return images_of(store, domain, config)


def _images(
    store: Labels, wanted: list[str], folder: Path | None, form: Tool
) -> tuple[list[str], list[Size]]:
    """Names with suffix, and sizes, of the wanted images of a store."""
    if folder is None:
        raise ConfigError(
            f"--format {form} needs --images FOLDER, the images that are to be annotated: the file "
            "names them with their suffix, and has labels of their size"
        )
    there = ImageFolder(folder)
    found = [there.find_begun(name) for name in wanted]
    missing = [name for name, file in zip(wanted, found, strict=True) if file is None]
    if missing:
        raise DataError(
            f"{len(missing)} of {len(wanted)} images of {store.path} are not below {folder}, or "
            f"several there are called so; first '{missing[0]}' (there: '{there.names[0]}'). Give "
            "the folder of the target images"
        )
    names = [name for name in found if name is not None]
    twice = len(names) - len(set(names))
    if twice:
        raise DataError(f"{twice} images of {store.path} find the same file below {folder}")
    return names, [looks(folder / name).size for name in names]


def _writer(
    form: Tool, file, classes: list[str], colors: np.ndarray, address: str | None
) -> coco.Writer | cvat.Writer | labelstudio.Writer:
    if form == "coco":
        return coco.Writer(file, classes, colors)
    if form == "cvat":
        return cvat.Writer(file, classes, colors)
    return labelstudio.Writer(file, classes, labelstudio.LOCAL if address is None else address)


def _page(
    store: Labels, file: Path, form: Tool, counts: np.ndarray, resized: tuple[int, int]
) -> Page:
    """What was written, where it goes next, and the share of each class."""
    labelled, table = shares(store, counts)
    facts = {"file": str(file), "next": _NEXT[form], "labelled %": labelled}
    if resized[0]:
        facts["brought to the size of the image"] = f"{resized[0]} of {resized[1]} label maps"
    return Page(f"{resized[1]} images of pseudo labels for {form}", facts, {"classes": table})
