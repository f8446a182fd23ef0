"""`predict` and `export` of a checkpoint that knows what it is."""

import importlib.util
import json

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from tpld.cli import app
from tpld.commands import export_onnx
from tpld.commands.inspect_store import inspect
from tpld.commands.predict import Wanted, input_size, predict
from tpld.compute.runtime import resolve
from tpld.config import Compute
from tpld.core.mixture import log_probabilities
from tpld.errors import ConfigError, StoreError
from tpld.models.card import read_card
from tpld.models.inference import predict_views
from tpld.models.registry import build_model
from tpld.models.weights import load_trained, save_model

CPU = Compute(device="cpu", precision="float32", threads=1)


def png(path) -> np.ndarray:
    return np.asarray(Image.open(path))


def test_predictions_are_the_networks_at_the_size_of_each_image(trained, photos, tmp_path):
    model, _ = trained
    out = tmp_path / "out"
    page = predict(model, [photos], out, Wanted(), CPU)
    card = read_card(model)
    assert (card.names, card.ids, card.size) == (["road", "car", "sky"], [7, 26, 23], (32, 48))
    runtime = resolve(CPU)
    network = load_trained(card.config(CPU), 3, model, runtime).eval()
    pixels = png(photos / "c.PNG")
    views = predict_views(network, pixels, 1.0, False, runtime)
    p = np.exp(log_probabilities(views.numpy(), (32, 48)))
    assert np.array_equal(png(out / "masks" / "c.png"), p.argmax(0))
    assert np.array_equal(png(out / "confidence" / "c.png"), np.rint(255 * p.max(0)))
    assert len(np.unique(p.argmax(0))) > 1, "the network says the same everywhere"
    for name, size in (("a", (33, 70)), ("more/b", (50, 41))):
        assert png(out / "masks" / f"{name}.png").shape == size
        assert png(out / "overlays" / f"{name}.jpg").shape == (*size, 3)
    assert page.tables["classes"]["share %"].sum() == pytest.approx(100)


def test_masks_can_hold_the_values_of_the_label_files(trained, photos, tmp_path):
    model, _ = trained
    for out, wanted in (
        ("plain", Wanted(overlays=False, confidence=False)),
        ("ids", Wanted(label_ids=True)),
    ):
        predict(model, [photos / "a.png"], tmp_path / out, wanted, CPU)
    plain, ids = (png(tmp_path / out / "masks" / "a.png") for out in ("plain", "ids"))
    assert np.array_equal(np.array([7, 26, 23])[plain], ids)
    assert not (tmp_path / "plain" / "overlays").exists()
    picture = Image.open(tmp_path / "ids" / "masks" / "a.png")
    assert np.asarray(picture.convert("RGB"))[ids == 26].tolist()[:1] in ([[0, 0, 142]], [])


@pytest.mark.parametrize(
    ("own", "trained_at", "scale", "seen"),
    [
        ((100, 200), None, 1.0, (100, 200)),
        ((100, 200), None, 0.5, (50, 100)),
        ((100, 200), (50, 100), 1.0, (50, 100)),
        ((100, 200), (50, 102), 1.0, (50, 102)),  # nearly its proportions: stretched likewise
        ((200, 100), (50, 100), 1.0, (100, 50)),  # upright: keeps its own, at the same area
        ((3, 3), None, 0.05, (16, 16)),  # no network sees less
        ((1, 900), None, 1.0, (16, 900)),
    ],
)
def test_the_size_that_the_network_sees(own, trained_at, scale, seen):
    assert input_size(own, trained_at, scale) == seen


def test_a_checkpoint_without_a_card_needs_its_configuration(trained, tmp_path, photos):
    _, config = trained
    silent = tmp_path / "silent.safetensors"
    save_model(build_model(config, 3), silent, {"stage": "source"})
    with pytest.raises(StoreError, match="Give the configuration that trained it: --config"):
        predict(silent, [photos], tmp_path / "out", Wanted(), CPU)
    page = predict(silent, [photos / "a.png"], tmp_path / "out", Wanted(), CPU, config)
    assert page.facts["images"] == 1
    (tmp_path / "cut.safetensors").write_bytes(silent.read_bytes()[:1000])
    with pytest.raises(StoreError, match="is no whole checkpoint"):
        read_card(tmp_path / "cut.safetensors")


def test_inspect_finds_a_flipped_bit_of_a_checkpoint(trained, tmp_path):
    path, _ = trained
    _, damaged = inspect(path)
    assert not damaged
    content = bytearray(path.read_bytes())
    content[-100] ^= 1  # the last bit of a weight: still finite
    (tmp_path / "model.safetensors").write_bytes(content)
    _, damaged = inspect(tmp_path / "model.safetensors")
    assert damaged == ["its checksum is wrong or missing: a bit has flipped, or it is foreign"]


def test_the_command_line_prints_json(trained, photos, tmp_path):
    done = CliRunner().invoke(
        app,
        [
            *("predict", str(trained[0]), str(photos / "a.png"), "--out", str(tmp_path / "out")),
            *("--device", "cpu", "--size", "64x96", "--json"),
        ],
    )
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    assert said["images"] == 1 and len(said["classes"]) == 3
    wrong = CliRunner().invoke(
        app, ["predict", str(trained[0]), str(photos), "--out", "o", "--size", "big"]
    )
    assert "--size is 'big'; height and width are needed" in str(wrong.exception)


def test_an_exported_network_gives_torchs_probabilities(trained, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    out = tmp_path / "model.onnx"
    page = export_onnx.export(trained[0], out)
    assert page.facts["largest difference to torch"] < 1e-3
    session = onnxruntime.InferenceSession(out.read_bytes())
    assert json.loads(session.get_modelmeta().custom_metadata_map["classes"]) == [
        "road",
        "car",
        "sky",
    ]
    # Neither the size nor the batch that it was exported with.
    image = export_onnx.random_image(3, (40, 90))
    probabilities = session.run(None, {"image": image.numpy()})[0]
    assert probabilities.shape == (3, 3, 40, 90)
    assert np.allclose(probabilities.sum(1), 1, atol=1e-5)
    network = export_onnx.Exported(
        load_trained(read_card(trained[0]).config(CPU), 3, trained[0], resolve(CPU))
    ).eval()
    with torch.no_grad():
        assert np.allclose(network(image).numpy(), probabilities, atol=1e-3)


def test_an_export_that_differs_is_not_kept(trained, tmp_path, monkeypatch):
    pytest.importorskip("onnxruntime")
    monkeypatch.setattr(export_onnx, "_write", lambda *args: args[-1].write_bytes(b"x"))
    monkeypatch.setattr(export_onnx, "_describe", lambda *args: None)
    wrong = np.zeros((1, 3, 32, 48), np.float32)
    monkeypatch.setattr(export_onnx, "_session", lambda path: lambda image: wrong)
    with pytest.raises(Exception, match="onnxruntime differs from torch by"):
        export_onnx.export(trained[0], tmp_path / "m.onnx")
    assert not list(tmp_path.glob("*.onnx"))


def test_without_the_optional_packages_it_says_how_to_get_them(trained, tmp_path, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "onnxruntime" else find(name)
    )
    with pytest.raises(ConfigError, match=r"needs onnxruntime.*pip install 'tpld\[onnx\]'"):
        export_onnx.export(trained[0], tmp_path / "m.onnx")
    with pytest.raises(ConfigError, match=r"must end in \.onnx"):
        export_onnx.export(trained[0], tmp_path / "m.pt")
