// Keyboard shortcuts, and the overlay that lists them.
import { $, make } from "./dom.js";
import { stepImage } from "./list.js";
import { resetKeys, toggleLayer } from "./panels.js";
import { stepMethod, stepRound, toggleCompare } from "./rounds.js";
import { fit, movePixel, zoom } from "./stage.js";
import { LAYERS, state, update } from "./state.js";

const SHORTCUTS = [
  [["←", "→"], "previous, next image"],
  [["[", "]"], "round before, round after"],
  [["m"], "next method"],
  [["1", "…", "0"], "show or hide a layer; with Shift it alone"],
  [["space"], "hide all layers but the image, and back"],
  [["c"], "compare with another round or method"],
  [["<", ">"], "move the swipe"],
  [["+", "-", "f"], "zoom in, out, whole image"],
  [["w", "a", "s", "d"], "move the chosen pixel"],
  [["r"], "what if: back to the stored keys"],
  [["/"], "search names"],
  [["?"], "this help"],
];

let hidden = null;

const ACTIONS = {
  ArrowLeft: () => stepImage(-1), ArrowRight: () => stepImage(1),
  "[": () => stepRound(-1), "]": () => stepRound(1), m: stepMethod, c: toggleCompare,
  "<": () => update({ swipe: Math.max(0, state.swipe - 0.05) }),
  ">": () => update({ swipe: Math.min(1, state.swipe + 0.05) }),
  "+": () => zoom(1.4), "=": () => zoom(1.4), "-": () => zoom(1 / 1.4), f: () => fit(true),
  w: () => movePixel(0, -1), s: () => movePixel(0, 1), a: () => movePixel(-1, 0), d: () => movePixel(1, 0),
  r: resetKeys, "/": () => $("text").focus(), "?": toggleHelp, " ": hideLayers,
};

export function setUpKeys() {
  drawHelp();
  $("help-button").onclick = toggleHelp;
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = event.target.matches("input:not([type=range]):not([type=checkbox]), textarea");
    if (typing) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    // Sliders and choices keep the keys that move them.
    if (event.target.matches("select, input[type=range]") && /^(Arrow|Home|End|Page| )/.test(event.key)) return;
    if (event.target.matches("button, input[type=checkbox]") && event.key === " ") return;
    const layer = LAYERS.find(({ key }) => event.code === `Digit${key}` || event.key === key);
    const action = layer ? () => toggleLayer(layer.id, event.shiftKey) : ACTIONS[event.key];
    if (!action || ($("help").open && event.key !== "?")) return;
    event.preventDefault();
    action();
  });
}

function hideLayers() {
  const alone = Object.keys(state.layers).join() === "photo";
  if (alone && hidden) update({ layers: hidden });
  else if (!alone) {
    hidden = { ...state.layers };
    update({ layers: { photo: 1 } });
  }
}

function toggleHelp() {
  if ($("help").open) $("help").close();
  else $("help").showModal();
}

function drawHelp() {
  const list = (pairs) => make("dl", {}, ...pairs.flatMap(([term, text]) => [make("dt", {}, ...term), make("dd", {}, ...text)]));
  const keys = SHORTCUTS.map(([names, text]) => [names.map((name) => (name === "…" ? " … " : make("kbd", {}, name))), [text]]);
  const layers = LAYERS.map(({ key, name, says }) => [[make("kbd", {}, key)], [make("b", {}, name), ` – ${says}`]]);
  $("help").replaceChildren(
    make("h2", { id: "help-title" }, "Keys and layers", make("button", { onclick: toggleHelp }, "Close")),
    make("div", { className: "help-columns" }, list(keys), list(layers)),
    make("p", { className: "note" }, "Drag to move the image, turn the wheel to zoom, click a pixel to ask why it has its label. The address of the page holds everything you see: copy it to come back or to share it."),
  );
  $("help").addEventListener("click", (event) => event.target === $("help") && $("help").close());
}
