import hashlib
import json

import pytest

from tpld.stores import code
from tpld.stores.provenance import code_hash, digest, fingerprint, record, write_record


@pytest.fixture()
def modules(monkeypatch, tmp_path):
    """A package of made-up modules: a dictionary of name and text."""
    texts: dict[str, str] = {}

    def forget():
        code_hash.cache_clear()
        code._facts.cache_clear()

    monkeypatch.setattr(code, "_text", lambda name: texts[name])
    monkeypatch.setattr(code, "_is_module", lambda name: name in texts)
    monkeypatch.setattr(code, "_KEPT", tmp_path / "kept.json")
    forget()

    def hash_of(name: str, **changes: str) -> str:
        forget()
        texts.update({f"tpld.{key}": text for key, text in changes.items()})
        return code_hash(f"tpld.{name}")

    yield hash_of
    forget()


PLAIN = "def f(x):\n    return x + 1\n"


def test_comments_docstrings_and_layout_do_not_count(modules):
    first = modules("a", a=PLAIN)
    dressed = '''"""What it does."""
# why
def f(
    x,
):
    """Add one."""
    return x + 1  # one
'''
    assert modules("a", a=dressed) == first


def test_docstrings_of_classes_and_attributes_do_not_count(modules):
    first = modules("a", a="class A:\n    b = 1\n")
    assert modules("a", a='class A:\n    """A."""\n\n    b = 1\n    """B."""\n') == first


@pytest.mark.parametrize(
    "text",
    [
        "def f(x):\n    return x + 2\n",
        "def f(y):\n    return y + 1\n",
        "def f(x=0):\n    return x + 1\n",
        PLAIN + "G = 'text'\n",
        "@cache\n" + PLAIN,
    ],
)
def test_code_counts(modules, text):
    first = modules("a", a=PLAIN)
    assert modules("a", a=text) != first


def test_a_string_that_is_a_value_counts(modules):
    first = modules("a", a="f('one')\n")
    assert modules("a", a="f('two')\n") != first


@pytest.mark.parametrize(
    "line",
    [
        "import tpld.b",
        "from tpld.b import f",
        "from tpld import b",
        "def g():\n    from tpld.b import f",
        "if TYPE:\n    import tpld.b as other",
    ],
)
def test_imports_are_followed_however_they_are_written(modules, line):
    first = modules("a", a=line + "\n", b=PLAIN)
    assert modules("a", b=PLAIN.replace("1", "2")) != first


def test_imports_are_followed_to_the_end_and_cycles_end(modules):
    first = modules("a", a="import tpld.b", b="import tpld.c", c="import tpld.a\nX = 1")
    assert modules("a", c="import tpld.a\nX = 2") != first


def test_a_module_that_is_not_imported_does_not_count(modules):
    first = modules("a", a="import numpy", b=PLAIN)
    assert modules("a", b="X = 1") == first


@pytest.mark.parametrize("inert", ["config", "errors", "compute.progress", "dag.settings", "cli"])
def test_bookkeeping_does_not_count(modules, inert):
    first = modules("a", a=f"import tpld.{inert}", **{inert: "X = 1"})
    assert modules("a", **{inert: "X = 2"}) == first


@pytest.mark.parametrize(
    ("stage", "depends", "does_not"),
    [
        ("label", {"tpld.core.voting", "tpld.core.selection"}, {"tpld.training.loop"}),
        ("dump", {"tpld.models.deeplabv2", "tpld.core.mixture"}, {"tpld.core.voting"}),
        ("thresholds", {"tpld.core.thresholds"}, {"tpld.core.voting"}),
        (
            "train_source",
            {"tpld.training.source", "tpld.data.augment", "tpld.training.loop"},
            {"tpld.core.voting", "tpld.core.mixture", "tpld.training.phase2"},
        ),
        (
            "train_round",
            {"tpld.core.losses", "tpld.core.mining"},
            {"tpld.core.voting", "tpld.training.phase2"},
        ),
        (
            "train_phase2",
            {"tpld.core.full_labels", "tpld.models.discriminator"},
            {"tpld.core.voting"},
        ),
        ("evaluate", {"tpld.evaluation.metrics"}, {"tpld.core.voting", "tpld.training.loop"}),
    ],
)
def test_the_code_behind_each_stage(stage, depends, does_not):
    found = code._closure(f"tpld.stages.{stage}")
    assert depends <= found
    assert not does_not & found


def test_editing_voting_changes_label_and_not_dump(monkeypatch):
    before = {stage: code_hash(f"tpld.stages.{stage}") for stage in ("label", "dump")}
    text = code._text
    forgotten = (code_hash, code._facts)
    for cached in forgotten:
        cached.cache_clear()
    edit = {"tpld.core.voting": "\nX = 1\n"}
    monkeypatch.setattr(code, "_text", lambda name: text(name) + edit.get(name, ""))
    after = {stage: code_hash(f"tpld.stages.{stage}") for stage in ("label", "dump")}
    for cached in forgotten:
        cached.cache_clear()
    assert after["label"] != before["label"]
    assert after["dump"] == before["dump"]


def test_what_is_kept_between_processes_gives_the_same_hash_and_an_edit_another(
    modules, monkeypatch
):
    monkeypatch.setattr(code.sys, "dont_write_bytecode", False)
    code._known.cache_clear()
    first = modules("a", a="import tpld.b", b=PLAIN)
    assert len(json.loads(code._KEPT.read_text())) == 2
    taken_apart: list[str] = []
    plain = code._take_apart
    monkeypatch.setattr(code, "_take_apart", lambda text: taken_apart.append(text) or plain(text))
    code._known.cache_clear()  # as in a new process
    assert modules("a") == first
    assert taken_apart == []
    assert modules("a", b="X = 1") != first
    assert taken_apart == ["X = 1"]


@pytest.mark.parametrize("damage", ["", "[]", '{"a": 1}', '{"a": {"code": 1}}', "\x00"])
def test_a_damaged_keep_is_none(modules, damage):
    first = modules("a", a=PLAIN)
    code._KEPT.write_text(damage)
    code._known.cache_clear()
    assert modules("a") == first


def test_digest_depends_on_values_and_not_on_the_order_of_keys():
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    assert len({digest(1, 2), digest(2, 1), digest([1, 2]), digest("1", 2)}) == 4


def test_fingerprint_of_a_file_is_that_of_its_bytes(tmp_path):
    file = tmp_path / "f"
    file.write_bytes(b"abc")
    assert fingerprint(file) == hashlib.sha256(b"abc").hexdigest()[:16]


def test_fingerprint_of_a_store_is_that_of_its_metadata(tmp_path):
    (tmp_path / "zarr.json").write_text("{}")
    (tmp_path / "chunk").write_text("1")
    first = fingerprint(tmp_path)
    (tmp_path / "chunk").write_text("2")
    assert fingerprint(tmp_path) == first
    (tmp_path / "zarr.json").write_text('{"run": 2}')
    assert fingerprint(tmp_path) != first


def test_record_names_everything_a_number_can_be_traced_to(tmp_path):
    file = tmp_path / "model"
    file.write_bytes(b"abc")
    found = record("dump", {"dump.scale": 0.9}, [file], seed=3)
    assert found["stage"] == "dump"
    assert found["settings"] == {"dump.scale": 0.9}
    assert found["inputs"] == {str(file): fingerprint(file)}
    assert found["seed"] == 3
    assert {"python", "torch", "numpy", "tpld"} <= set(found["versions"])
    assert found["commit"]
    assert found["host"]
    assert found["finished"][:2] == "20"


def test_write_record_writes_json_and_nothing_else(tmp_path):
    write_record(tmp_path / "run.json", "dump", {}, [], seed=1)
    assert [p.name for p in tmp_path.iterdir()] == ["run.json"]
    assert json.loads((tmp_path / "run.json").read_text())["seed"] == 1
