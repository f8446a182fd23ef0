"""The worked example of docs/adding_a_method.md, as it stands there."""

import re
from pathlib import Path

import numpy as np
import pytest

import tpld.methods
from tpld.config import Voting, load_config
from tpld.dag.layout import Layout
from tpld.dag.rows import recipe_of
from tpld.dag.settings import settings_of
from tpld.errors import ConfigError
from tpld.methods import known_methods, parse_method, recipe_class
from tpld.stages.label import label_image
from tpld.stores.provenance import code_hash

PAGE = Path(__file__).parents[2] / "docs" / "adding_a_method.md"


@pytest.fixture()
def added(tmp_path, monkeypatch):
    """The example's file beside the others; it is gone after the test."""
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "fixed_bar.py").write_text(code, encoding="utf-8")
    monkeypatch.setattr(tpld.methods, "__path__", [*tpld.methods.__path__, str(tmp_path)])
    known_methods.cache_clear()
    parse_method.cache_clear()
    yield
    known_methods.cache_clear()
    parse_method.cache_clear()


def test_one_file_makes_rows_rounds_keys_and_labels(added):
    rows = ["source", "fixed_bar", "fixed_bar+tpld", "fixed_bar@deeplabv2_vgg16"]
    config = load_config({"methods": rows, "options": {"fixed_bar": {"probability": 0.9}}})
    assert Layout(config).rounds("fixed_bar") == ["round0", "round1", "round2"]
    assert Layout(config).rounds("fixed_bar+tpld")[-1] == "phase2_round2"
    settings = settings_of(config, "label", "fixed_bar")
    assert settings == {"options.fixed_bar.probability": 0.9}
    assert code_hash(recipe_class("fixed_bar").__module__)
    p = np.array([0.5, 0.85, 0.95, 0.99], np.float32)
    logits = np.log(np.stack([p, 1 - p]))[None, :, None]  # their softmax is p, 1 - p
    select = recipe_of(config, parse_method("fixed_bar")).select
    bars = np.log(np.array([0.9, 0.8], np.float32))
    sparse = label_image(logits, (1, 4), bars, Voting(iterations=0), select)
    assert sparse.label.tolist() == [[255, 255, 0, 0]]
    voted = label_image(logits, (1, 4), bars, Voting(window=3), select)
    assert voted.label.tolist() == [[255, 0, 0, 0]]


def test_its_keys_are_checked_like_all_others(added):
    with pytest.raises(ConfigError, match=r"options\.fixed_bar\.probability: .* \(is 2\)"):
        load_config({"options": {"fixed_bar": {"probability": 2}}})
    with pytest.raises(ConfigError, match="fixed_ba' is no known method; did you mean 'fixed_bar'"):
        load_config({"methods": ["fixed_ba"]})


def test_without_the_file_there_is_no_such_method():
    with pytest.raises(ConfigError, match="'fixed_bar' is no known method"):
        load_config({"methods": ["fixed_bar"]})
