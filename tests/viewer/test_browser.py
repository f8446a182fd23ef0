"""The page in a real browser, where there is one: what people do, and what they then see."""

import os
import re
import shutil
import threading
import time

import numpy as np
import pytest

from tests.viewer.conftest import HEIGHT, METHODS, NAMES, VOTING, WIDTH
from tpld.stores.labels import Labels
from tpld.stores.predictions import Predictions
from tpld.viewer.app import Viewer, make_app
from tpld.viewer.serve import _listen

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = playwright.expect
expect.set_options(timeout=60_000)
TPLD = METHODS[-1]
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@pytest.fixture(scope="module")
def address(experiment):
    """The viewer behind a real server on loopback."""
    import uvicorn

    listening = _listen(0)
    config = uvicorn.Config(make_app(Viewer(experiment.root)), log_level="error")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield f"http://127.0.0.1:{listening.getsockname()[1]}/"
    server.should_exit = True
    thread.join(timeout=10)


@pytest.fixture(scope="module")
def browser():
    path = os.environ.get("TPLD_CHROMIUM") or next(filter(None, map(shutil.which, _NAMES)), None)
    if path is None:
        pytest.skip("no chromium: `apt-get install chromium`, or name it in TPLD_CHROMIUM")
    with playwright.sync_playwright() as running:
        started = running.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture()
def page(browser):
    """A page that must not write errors to its console."""
    opened = browser.new_page(viewport={"width": 1400, "height": 860})
    opened.set_default_timeout(60_000)
    errors = []
    opened.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
    opened.on("pageerror", lambda error: errors.append(str(error)))
    yield opened
    opened.close()
    assert errors == []


def open_page(page, address, query=""):
    page.goto(address + query)
    settled(page)


def settled(page):
    """Wait until layers and figures of the present state are there."""
    page.wait_for_selector("html[data-ready]")
    page.wait_for_selector("#stack-a img")
    page.wait_for_selector("html[data-loading='0']")
    page.wait_for_selector("#figures table")


def click_pixel(page, x, y):
    box = page.locator("#canvas").bounding_box()
    page.mouse.click(box["x"] + (x + 0.5) / WIDTH * box["width"],
                     box["y"] + (y + 0.5) / HEIGHT * box["height"])  # fmt: skip
    page.locator("#pixel-place", has_text=f"x {x}, y {y}").wait_for()


def source_of(page, layer, side="a"):
    return page.locator(f"#stack-{side} img[data-layer={layer}]").get_attribute("src")


def test_look_around_and_ask_a_pixel(page, address, experiment):
    open_page(page, address)
    assert page.locator("#experiment").inner_text() == "looks"
    assert page.locator(".item").count() == len(NAMES)
    # Another image, whose name is markup, and another round.
    page.locator(".item", has_text="<i>2</i>").click()
    page.get_by_role("radio", name="r1", exact=True).click()
    page.locator("#image-name", has_text=NAMES[2]).wait_for()
    settled(page)
    assert page.locator("#image-name i").count() == 0
    assert "round=round1" in page.url and "image=night" in page.url
    # A click gives the numbers of the store.
    folder = experiment.part(TPLD, "seed0", "round1")
    predictions, labels = Predictions(folder / "predictions.zarr"), Labels(folder / "labels.zarr")
    label, origin = labels.layer("label", 2), labels.layer("origin", 2)
    for code, word in ((1, "Confident"), (2, "Voted"), (0, "None")):
        y, x = (int(v) for v in np.argwhere(origin == code)[5])
        click_pixel(page, x, y)
        page.locator("#sentence", has_text=word).wait_for()
        p = predictions.probabilities(2)[:, y, x]
        r = p / np.exp(labels.log_threshold)
        first = page.locator("#pixel tbody tr").first.locator("td").all_inner_texts()
        k = int(r.argmax())
        assert first[0] == labels.classes[k]
        assert float(first[1]) == pytest.approx(p[k], abs=6e-4)
        assert float(first[3]) == pytest.approx(r[k], abs=6e-4)
        if code:
            name = labels.classes[label[y, x]]
            assert name in page.locator("#sentence").inner_text()
    # The address holds it all: the same again in a new visit.
    sentence = page.locator("#sentence").inner_text()
    open_page(page, page.url)
    page.locator("#sentence", has_text=sentence).wait_for()
    expect(page.locator("#image-name")).to_have_text(NAMES[2])


def test_a_changed_window_changes_the_labels(page, address):
    query = f"?method={TPLD.replace('+', '%2B')}&seed=0&round=round1&image={NAMES[0]}"
    open_page(page, address, query)
    before, density = source_of(page, "label"), page.locator("#big b").first.inner_text()
    stored = page.screenshot(clip=page.locator("#canvas").bounding_box())
    page.locator("#key-window").fill("31")
    page.locator("#stack-a img[data-layer=label][src*='window=31']").wait_for()
    page.locator(".slider.changed", has_text="window").wait_for()
    settled(page)
    assert source_of(page, "label") != before
    expect(page.locator("#big b").first).not_to_have_text(density)
    assert page.screenshot(clip=page.locator("#canvas").bounding_box()) != stored
    page.keyboard.press("Escape")
    page.locator("#reset").click()
    page.locator("#stack-a img[data-layer=label]:not([src*='window='])").wait_for()
    expect(page.locator("#key-window")).to_have_value(str(VOTING["window"]))
    expect(page.locator("#big b").first).to_have_text(density)


def test_only_images_in_view_are_there(page, address):
    page.set_viewport_size({"width": 1400, "height": 400})
    open_page(page, address)
    shown = page.locator(".item")
    assert 0 < shown.count() < len(NAMES)
    page.locator("#list").evaluate("list => { list.scrollTop = list.scrollHeight; }")
    page.locator(".item", has_text=sorted(NAMES)[-1]).wait_for()
    assert shown.count() < len(NAMES)


def test_keys_layers_and_swipe(page, address):
    open_page(page, address)
    name = page.locator("#image-name").inner_text()
    page.keyboard.press("ArrowRight")
    page.locator("#image-name", has_text=re.compile(f"^(?!{re.escape(name)}$)")).wait_for()
    page.keyboard.press("5")
    page.locator("#stack-a img[data-layer=origin]").wait_for()
    page.keyboard.press("4")
    page.locator("#stack-a img[data-layer=label]").wait_for(state="detached")
    page.keyboard.press("c")
    page.locator("#stack-b img[data-layer=origin]").wait_for()
    settled(page)
    handle = page.locator("#swipe").bounding_box()
    page.mouse.move(handle["x"] + 9, handle["y"] + 60)
    page.mouse.down()
    page.mouse.move(handle["x"] - 150, handle["y"] + 60, steps=3)
    page.mouse.up()
    share = float(re.search(r"swipe=([\d.]+)", page.url)[1])
    assert 0 < share < 0.5
    assert f"inset(0px 0px 0px {100 * share:g}" in page.locator("#stack-b").evaluate(
        "element => getComputedStyle(element).clipPath"
    )
    page.keyboard.press("?")
    page.locator("#help[open]", has_text="next image").wait_for()
    page.keyboard.press("Escape")
    page.locator("#text").fill("003")
    page.locator("#count", has_text="1 of 7").wait_for()
    page.go_back()
    page.locator("#stack-b").wait_for(state="hidden")
