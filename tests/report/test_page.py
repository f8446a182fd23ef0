"""The whole page: it stands alone, escapes names, and leaves out what it has no data for."""

import base64
import re
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.report.conftest import METHODS, Page, make_config
from tpld.stages import report as stage

ANCHORS = ["setting", "comparison", "curves", "labels", "voting", "split", "hard", "examples",
           "confusion", "cost"]  # fmt: skip
_VOID = {"meta", "link", "img"}


class Elements(HTMLParser):
    """All tags with their attributes, and whether they nest."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {key: value or "" for key, value in attrs}))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def sections(page: Page) -> list[str]:
    return [a["id"] for tag, a in Elements(page.text).found if tag == "section"]


def section_text(page: Page, anchor: str) -> str:
    return page.text.split(f'<section id="{anchor}">')[1].split("</section>")[0]


def test_all_sections_are_there_in_order(full):
    assert sections(full) == ANCHORS


def test_tags_nest(full, without_truth, source_alone):
    for page in (full, without_truth, source_alone):
        assert Elements(page.text).open == []


def test_nothing_is_loaded_from_elsewhere(full):
    for tag, attributes in Elements(full.text).found:
        assert tag != "script"
        for key in ("src", "href", "srcset", "data", "poster"):
            assert attributes.get(key, "#").startswith(("#", "data:")), (tag, key)
    style = full.text.split("<style>")[1].split("</style>")[0]
    assert "url(" not in style
    assert "@import" not in style


def test_names_are_escaped(full):
    assert "&lt;b&gt;&amp;" in full.text
    assert "<b>&" not in full.text
    assert "target<" not in full.text
    assert "target&lt;0&gt;" in full.text
    assert "2.0&lt;1&gt;" in full.text


def test_figures_are_drawings_that_parse_and_carry_no_date(full):
    drawings = re.findall(r"data:image/svg\+xml;base64,([A-Za-z0-9+/=]+)", full.text)
    assert len(drawings) > 8
    for drawing in drawings:
        root = ElementTree.fromstring(base64.b64decode(drawing))
        assert root.tag.endswith("svg")
        assert b"<dc:date>" not in base64.b64decode(drawing)


def test_every_picture_says_what_it_is(full):
    images = [a for tag, a in Elements(full.text).found if tag == "img"]
    assert all(image["alt"] for image in images)


def test_a_missing_ground_truth_is_said_and_the_rest_works(without_truth):
    assert sections(without_truth) == [
        a for a in ANCHORS if a not in ("comparison", "confusion")
    ] + ["missing"]
    assert "target_val has no ground truth" in section_text(without_truth, "missing")
    labels = section_text(without_truth, "labels")
    assert "there is no accuracy" in labels
    assert "75.0" in labels  # density of 150 of 200 pixels
    voting = section_text(without_truth, "voting")
    assert "Most added" in voting
    assert "are right" not in voting
    assert "added and wrong" not in voting


def test_source_alone_has_no_rounds(source_alone):
    assert sections(source_alone) == ["setting", "comparison", "curves", "examples", "confusion",
                                      "cost", "missing"]  # fmt: skip
    missing = section_text(source_alone, "missing")
    assert "no method that makes pseudo labels" in missing
    assert "no method with TPLD" in missing


def test_an_experiment_that_has_not_begun_is_described(tmp_path):
    config = make_config(tmp_path, True, METHODS, [0])
    stage.report(config, tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "comparison.csv is missing" in text
    assert "&lt;b&gt;&amp;" in text


def test_the_protocol_and_the_checkpoint_stand_with_the_numbers(full):
    comparison = section_text(full, "comparison")
    for protocol in ("crst: scales 0.9, 1 + mirror", "single: scale 1"):
        assert f"Protocol: {protocol}, scored at 24x40, 4 classes, last checkpoint" in comparison
    assert "scales 0.9, 1 + mirror" in section_text(full, "confusion")


def test_provenance_is_shown(full):
    setting = section_text(full, "setting")
    assert "abc123" in setting
    assert "2026-01-01T00:00:00+0000" in setting


def test_the_page_is_the_same_when_written_again(full, tmp_path: Path):
    stage.report(full.config, tmp_path / "again.html")
    assert (tmp_path / "again.html").read_text(encoding="utf-8") == full.text


def test_a_failure_leaves_the_old_page(full, tmp_path, monkeypatch):
    page = tmp_path / "report.html"
    page.write_text("old")
    monkeypatch.setattr(stage, "_SECTIONS", ())
    monkeypatch.setattr(Path, "write_text", _disk_full)
    with pytest.raises(OSError, match="disk full"):
        stage.report(full.config, page)
    monkeypatch.undo()
    assert page.read_text() == "old"
    assert list(tmp_path.iterdir()) == [page]


def _disk_full(*args: object, **kwargs: object) -> None:
    raise OSError("disk full")
