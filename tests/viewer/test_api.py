"""What the server answers, against the stores and the stages."""

import io
import re
import shutil
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from starlette.testclient import TestClient

from tests.viewer.conftest import CLASSES, COLORS, HEIGHT, METHODS, NAMES, VOTING, WIDTH
from tpld.config import Voting
from tpld.data.cache import Cache
from tpld.data.sources import class_table
from tpld.errors import StoreError, TpldError
from tpld.stages.label import label_image
from tpld.stages.thresholds import estimate_thresholds
from tpld.stores.labels import Labels
from tpld.stores.predictions import Predictions
from tpld.viewer.app import STATIC, Viewer, make_app
from tpld.viewer.serve import HOST, _listen

TPLD = METHODS[-1]


@pytest.fixture(scope="module")
def viewer(experiment):
    made = Viewer(experiment.root)
    yield made
    made.scans.close()


@pytest.fixture(scope="module")
def client(viewer):
    return TestClient(make_app(viewer), base_url="http://127.0.0.1:8642")


def about(image=NAMES[2], method=TPLD, name="round1", **more):
    return {"method": method, "seed": 0, "round": name, "image": image, **more}


def answer(client, what, status=200, **query):
    response = client.get(f"/api/{what}", params=query)
    assert response.status_code == status, response.text
    return response.json()


def scanned(client, **query):
    for _ in range(600):
        found = answer(client, "status", **query)
        assert not found["error"]
        if found["done"] == found["total"]:
            return
        time.sleep(0.05)
    raise AssertionError("the scan does not end")


def index_map(response):
    """Palette indices (H, W) of a layer; 255 is clear."""
    picture = Image.open(io.BytesIO(response.content))
    assert picture.mode == "P"
    return np.asarray(picture), np.array(picture.getpalette()).reshape(-1, 3)


def stores(experiment, name="round1", method=TPLD):
    folder = experiment.part(method, "seed0", name)
    source = experiment.part("source", "deeplabv2_resnet18", "seed0")
    dump = (source if name == "round0" else folder) / "predictions.zarr"
    return Predictions(dump), Labels(folder / "labels.zarr")


def test_the_rounds_are_those_on_disk(client):
    found = answer(client, "experiment")
    assert [(r["method"], r["name"]) for r in found["rounds"]] == [
        ("crst_mrkld", "round0"), ("crst_lrent+tpld", "round0"), (TPLD, "round0"),
        (TPLD, "round1"), (TPLD, "phase2_round0"), ("source", "source"),
    ]  # fmt: skip
    assert found["classes"][1] == {"name": CLASSES[1], "color": "#4682b4"}
    by_name = {(r["method"], r["name"]): r for r in found["rounds"]}
    assert by_name[TPLD, "round1"]["voting"]["window"] == VOTING["window"]
    assert by_name[TPLD, "round1"]["portion"] == pytest.approx(0.3)
    assert by_name["crst_mrkld", "round0"]["voting"]["iterations"] == 0
    assert not by_name["source", "source"]["labels"]


@pytest.mark.parametrize("name", ["round0", "round1"])
def test_label_and_origin_are_those_of_the_store(client, experiment, name):
    _, labels = stores(experiment, name)
    place = labels.names.index(NAMES[2])
    shown, palette = index_map(client.get("/api/layer", params=about(name=name, layer="label")))
    np.testing.assert_array_equal(shown, labels.layer("label", place))
    assert palette[:4].tolist() == COLORS
    shown, _ = index_map(client.get("/api/layer", params=about(name=name, layer="origin")))
    origin = labels.layer("origin", place)
    np.testing.assert_array_equal(shown, np.where(origin == 0, 255, origin - 1))
    assert set(np.unique(origin)) >= {0, 1, 2}, "the experiment should vote"


def test_one_class_alone(client, experiment):
    _, labels = stores(experiment)
    stored = labels.layer("label", 2)
    shown, _ = index_map(client.get("/api/layer", params=about(layer="label", only="1")))
    np.testing.assert_array_equal(shown, np.where(stored == 1, 1, 255))


def test_error_layers_are_judged_against_the_truth(client, experiment):
    predictions, labels = stores(experiment)
    truth = Cache(experiment.part("data", "target_train_truth"), class_table(experiment.config))
    true, image = truth.label(truth.names.index(NAMES[1])), NAMES[1]
    given = {"label_error": labels.layer("label", 1), "prediction_error": predictions.predict(1)[0]}
    for layer, values in given.items():
        shown, _ = index_map(client.get("/api/layer", params=about(image, layer=layer)))
        wanted = np.where(values == true, 0, 1)
        wanted[true == 255] = 2
        wanted[values == 255] = 255
        np.testing.assert_array_equal(shown, wanted)


@pytest.mark.parametrize("method", ["crst_mrkld", "crst_lrent+tpld", TPLD])
def test_a_pixel_tells_what_the_stores_hold(client, experiment, method):
    predictions, labels = stores(experiment, "round0", method)
    p, place = predictions.probabilities(2), labels.names.index(NAMES[2])
    label, origin, score = (labels.layer(n, place) for n in ("label", "origin", "score"))
    threshold = np.exp(labels.log_threshold)
    kinds = set()
    for y, x in np.random.default_rng(1).integers(0, [HEIGHT, WIDTH], (25, 2)).tolist():
        found = answer(client, "pixel", **about(name="round0", method=method, x=x, y=y))
        kinds.add(found["kind"])
        assert found["origin"] == origin[y, x]
        assert found["label"] == (None if label[y, x] == 255 else label[y, x])
        for entry in found["scores"]:
            k = entry["class_id"]
            assert entry["p"] == pytest.approx(p[k, y, x], rel=1e-4)
            assert entry["threshold"] == pytest.approx(threshold[k], rel=1e-5)
            assert entry["r"] == pytest.approx(p[k, y, x] / threshold[k], rel=1e-4)
        if found["kind"] == "voted":
            won = [v for v in found["votes"] if v["class_id"] == found["label"]][-1]
            assert won["combined"] == pytest.approx(float(score[y, x]), abs=2e-3)  # float16
            assert f"from {won['neighbours']} of {won['window']} neighbours" in found["sentence"]
    assert kinds >= ({"none", "confident"} if method == "crst_mrkld" else {"none", "voted"})


def test_hard_images_of_phase_2_say_why_they_have_no_label(client, experiment):
    table = pd.read_csv(experiment.part(TPLD, "seed0", "phase2_round0", "split.csv"))
    for easy in (True, False):
        image = table.loc[table["easy"] == easy, "image"].iloc[0]
        found = answer(client, "pixel", **about(image, name="phase2_round0", x=3, y=4))
        assert (found["label"] is not None) == easy
        assert ("a hard image" in found["sentence"]) != easy


@pytest.mark.parametrize("changes", [{"window": 3}, {"alpha": 0.9}, {"iterations": 1}])
def test_changed_keys_give_what_the_stage_would_give(client, experiment, changes):
    predictions, labels = stores(experiment)
    bar = labels.log_threshold.astype(np.float32)
    wanted = label_image(predictions.logits(2), (HEIGHT, WIDTH), bar, Voting(**VOTING | changes))
    shown, _ = index_map(client.get("/api/layer", params=about(layer="label", **changes)))
    np.testing.assert_array_equal(shown, wanted.label)
    assert (wanted.label != labels.layer("label", 2)).any(), "the change should show"
    figures = answer(client, "figures", **about(image=NAMES[2], **changes))
    assert figures["density"] == pytest.approx((wanted.label != 255).mean())


def test_another_portion_has_the_thresholds_of_the_whole_store(client, experiment, tmp_path):
    scanned(client, **about())
    path = experiment.part(TPLD, "seed0", "round1", "predictions.zarr")
    estimate_thresholds(experiment.config, path, 0.6, tmp_path / "thresholds.csv")
    exact = pd.read_csv(tmp_path / "thresholds.csv")
    rows = answer(client, "figures", **about(portion=0.6))["classes"]
    for row, log_threshold in zip(rows, exact["log_threshold"], strict=True):
        assert np.log(row["threshold"]) == pytest.approx(log_threshold, rel=2**-11, abs=1e-9)
    stored, _ = index_map(client.get("/api/layer", params=about(layer="label")))
    same, _ = index_map(client.get("/api/layer", params=about(layer="label", portion=0.3)))
    np.testing.assert_array_equal(same, stored)


def test_figures_of_the_list_are_those_of_the_stages(client, experiment):
    query = about(name="phase2_round0")
    scanned(client, **query)
    listed = answer(client, "images", **query | {"limit": 50})["images"]
    scores = pd.read_csv(experiment.part(TPLD, "seed0", "phase2_round0", "confidence.csv"))
    confidence = dict(zip(scores["image"], scores["confidence"], strict=True))
    assert {e["name"]: e["confidence"] for e in listed} == pytest.approx(confidence, abs=1e-5)
    predictions, labels = stores(experiment)
    scanned(client, **about())
    truth = Cache(experiment.part("data", "target_train_truth"), class_table(experiment.config))
    for entry in answer(client, "images", **about(limit=50))["images"]:
        i = predictions.names.index(entry["name"])
        label, true = labels.layer("label", i), truth.label(truth.names.index(entry["name"]))
        valid = true != 255
        given = valid & (label != 255)
        assert entry["density"] == pytest.approx(given.sum() / valid.sum(), abs=1e-5)
        assert entry["accuracy"] == pytest.approx((label == true)[given].mean(), abs=1e-5)


def test_sorting_filtering_and_paging(client, experiment):
    scanned(client, **about())
    everything = answer(client, "images", **about(sort="density", descending=1))
    density = [entry["density"] for entry in everything["images"]]
    assert density == sorted(density, reverse=True)
    assert everything["total"] == len(NAMES)
    place = [entry["name"] for entry in everything["images"]].index(NAMES[2])
    assert everything["position"] == place
    page = answer(client, "images", **about(sort="density", descending=1, offset=2, limit=3))
    assert page["images"] == everything["images"][2:5]
    low, high = density[2] - 1e-4, density[1] + 1e-4  # the answer has five digits
    some = answer(client, "images", **about(sort="density", low=low, high=high))
    assert some["total"] == sum(low <= value <= high for value in density)
    assert 0 < some["total"] < len(NAMES)
    assert answer(client, "images", **about(text="<I>2"))["total"] == 1
    classes = answer(client, "images", **about(sort="class", **{"class": 1}))["images"]
    shares = [entry["class"] for entry in classes]
    assert shares == sorted(shares)
    easy = answer(client, "images", **about(name="phase2_round0", subset="easy"))
    assert all(entry["easy"] for entry in easy["images"])
    assert easy["total"] == 2


def test_counts_are_kept_for_the_next_time(client, viewer, experiment):
    scanned(client, **about())
    again = Viewer(experiment.root)
    other = TestClient(make_app(again), base_url="http://127.0.0.1")
    scanned(other, **about())
    again.scans.close()
    assert list((experiment.root.parent / "state" / "viewer").glob("*.npz"))
    first = answer(client, "images", **about(limit=50))
    assert answer(other, "images", **about(limit=50)) == first


def test_a_thumbnail_and_the_image(client, experiment):
    cache = Cache(experiment.part("data", "target_train"), class_table(experiment.config))
    image = cache.image(cache.names.index(NAMES[2])).astype(int)
    found = Image.open(io.BytesIO(client.get("/api/photo", params=about()).content))
    assert np.abs(np.asarray(found).astype(int) - image).mean() < 20
    small = Image.open(io.BytesIO(client.get("/api/photo", params=about(small=1)).content))
    assert small.width <= 240


@pytest.mark.parametrize(
    ("what", "query", "status", "words"),
    [
        ("layer", about("nobody", layer="label"), 404, "holds no image 'nobody'"),
        ("layer", about(layer="nothing"), 404, "no layer 'nothing'"),
        ("layer", about(layer="label", window=4), 400, "window is 4"),
        ("layer", about(layer="label", alpha=3), 400, "alpha"),
        ("layer", about(layer="label", portion="many"), 400, "portion is 'many'"),
        ("layer", about(layer="label", portion=0), 400, "portion is 0"),
        ("pixel", about(x=64, y=0), 400, "outside the 64x40 pixels"),
        ("pixel", about(x="nan", y=0), 400, "expected a number"),
        ("images", about(name="round7"), 404, "no crst_mrkld+tpld seed0 round7. There is:"),
        ("images", about(sort="beauty"), 400, "known: name, confidence"),
        ("images", about(**{"class": 9}), 400, "there are 4 classes"),
    ],
)
def test_wrong_questions_are_answered_with_a_sentence(client, what, query, status, words):
    assert words in answer(client, what, status, **query)["error"]


def test_only_this_machine_is_answered(client):
    for host in ("evil.example", "127.0.0.1.evil.example", ""):
        assert client.get("/", headers={"Host": host}).status_code == 400
        assert client.get("/api/experiment", headers={"Host": host}).status_code == 400
    page = client.get("/", headers={"Host": "localhost:8642"})
    assert page.status_code == 200
    assert "default-src 'none'" in page.headers["content-security-policy"]
    with _listen(None) as listening:
        assert listening.getsockname()[0] == HOST == "127.0.0.1"
        with pytest.raises(TpldError, match="Give another --port"):
            listening.listen()
            _listen(listening.getsockname()[1])


def test_nothing_comes_from_elsewhere(client):
    for path in STATIC.iterdir():
        assert client.get(f"/static/{path.name}").status_code == 200
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?://|//cdn|@import", text), path
    for name in re.findall(r'(?:src|href)="(/[^"]+)"', (STATIC / "index.html").read_text()):
        assert client.get(name).status_code == 200
    assert client.get("/static/../app.py").status_code == 404


def test_folders_without_stores_say_what_to_give(experiment, tmp_path):
    with pytest.raises(StoreError, match=r"holds no labels\.zarr and no predictions\.zarr"):
        Viewer(tmp_path)
    with pytest.raises(StoreError, match=r"holds experiments .* Give one of them: .*looks"):
        Viewer(experiment.root.parent)
    with pytest.raises(StoreError, match=r"does not exist.*There: looks"):
        Viewer(experiment.root.parent / "look")


def test_a_damaged_round_does_not_hide_the_others(experiment, tmp_path):
    copy = shutil.copytree(experiment.root, tmp_path / "results" / "looks")
    (copy / "crst_mrkld" / "seed0" / "round0" / "labels.zarr" / "zarr.json").write_text("{}")
    viewer = Viewer(Path(copy))
    client = TestClient(make_app(viewer), base_url="http://127.0.0.1")
    found = answer(client, "experiment")
    assert [bool(r.get("problem")) for r in found["rounds"]].count(True) == 1
    broken = next(r for r in found["rounds"] if r.get("problem"))
    assert broken["method"] == "crst_mrkld"
    assert "rerun `tpld label`" in broken["problem"]
    # Without the kept configuration the classes have colours all the same.
    assert not found["configured"]
    assert len({c["color"] for c in found["classes"]}) == len(CLASSES)
    shown, _ = index_map(client.get("/api/layer", params=about(layer="label")))
    assert shown.shape == (HEIGHT, WIDTH)
    viewer.scans.close()
