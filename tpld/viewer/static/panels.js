// The right side: layers, changed keys, the pixel and the figures of the image.
import { address, ask, latest } from "./api.js";
import { $, make, percent, score, swatch, table } from "./dom.js";
import { changedKeys, entries, experiment, roundA, roundB, shortName } from "./rounds.js";
import { available, showWindow } from "./stage.js";
import { LAYERS, opacity, state, update } from "./state.js";

const DEFAULT_OPACITY = { photo: 1, label: 0.75 };
const colorOf = (name) => experiment.classes.find((c) => c.name === name)?.color ?? "#888";
let report = () => {};
let scan = { done: 0, total: 1, error: "" };

export function setUpPanels(onProblem) {
  report = onProblem;
  $("reset").onclick = resetKeys;
  document.addEventListener("scanned", (event) => {
    const ready = scan.done >= scan.total;
    scan = event.detail;
    drawWhatIf();
    if (!ready && scan.done >= scan.total) {
      drawFigures();
      if (state.portion !== undefined) update({});
    }
  });
}

// ---- layers

export function toggleLayer(id, solo = false) {
  const layers = solo ? { photo: opacity("photo") || 1 } : { ...state.layers };
  if (!solo && opacity(id)) delete layers[id];
  else layers[id] = opacity(id) || DEFAULT_OPACITY[id] || 0.8;
  update({ layers });
}

export function drawLayers() {
  $("layers").replaceChildren(...LAYERS.flatMap((layer) => {
    const there = available(layer.id, roundA()) || (roundB() && available(layer.id, roundB()));
    const on = opacity(layer.id) > 0 && there;
    const box = make("input", {
      type: "checkbox", id: `layer-${layer.id}`, checked: on, disabled: !there,
      onchange: () => toggleLayer(layer.id),
    });
    const slider = make("input", {
      type: "range", min: 5, max: 100, step: 5, value: Math.round(100 * (opacity(layer.id) || DEFAULT_OPACITY[layer.id] || 0.8)),
      hidden: !on, title: "Opacity", "aria-label": `Opacity of ${layer.name}`,
      oninput: (event) => {
        state.layers[layer.id] = event.target.value / 100;
        for (const image of document.querySelectorAll(`img[data-layer="${layer.id}"]`)) image.style.opacity = state.layers[layer.id];
      },
      onchange: () => update({ layers: { ...state.layers } }),
    });
    const legend = on ? drawLegend(layer.id) : null;
    return [make(
      "div", { className: `layer${there ? "" : " absent"}`, title: there ? layer.says : "not in this round" },
      box, make("span", { className: "key" }, layer.key),
      make("label", { htmlFor: box.id }, layer.name), slider,
      legend && make("div", { className: "layer-legend" }, legend),
    )];
  }));
}

function drawLegend(id) {
  if (id === "confidence") return drawScale(id, [["0.1", 0], ["0.5", 12], ["0.9", 31], ["0.99", 54], ["0.999", 77], ["0.9999", 100]]);
  if (id === "winner" || id === "runner_up") return drawScale(id, [["r = 0", 0], ["0.5", 25], ["1 confident", 50], ["1.25", 75], ["1.5", 100]]);
  if (id === "origin") {
    const voted = roundA().voting?.iterations ?? 0;
    const reached = state.iterations ?? voted;
    const shown = (roundA().origins ?? []).filter(({ origin }) => !origin.startsWith("voted") || Number(origin.split("_")[1]) <= reached);
    return plainSwatches(shown.map(({ origin, color }) => [origin.replace("_", " "), color]));
  }
  if (id === "label_error" || id === "prediction_error") {
    return plainSwatches([["right", "#1e88e5"], ["wrong", "#e66100"], ["no ground truth", "#ebebeb"]]);
  }
  const last = ["truth", "label", "prediction"].find((layer) => opacity(layer) > 0 && available(layer, roundA()));
  if (!["prediction", "label", "truth"].includes(id) || id !== last) return null;
  return make("div", { className: "swatches" }, ...experiment.classes.map(({ name, color }, k) =>
    make("button", {
      "aria-pressed": String(state.only === k), title: state.only === k ? "show all classes" : `show ${name} alone`,
      onclick: () => update({ only: state.only === k ? undefined : k }),
    }, swatch(color), name)));
}

const plainSwatches = (pairs) => make("div", { className: "swatches" },
  ...pairs.map(([name, color]) => make("span", { className: "plain" }, swatch(color), name)));

function drawScale(layer, words) {
  const picture = make("img", { src: address("scale", { layer }), alt: "" });
  return make("div", { className: "scale" }, picture, make("div", {}, ...words.map(([word, place]) =>
    make("span", { style: { left: `${place}%`, transform: `translateX(-${place}%)` } }, word))));
}

// ---- changed keys

const SLIDERS = [
  { key: "portion", name: "λ portion", min: 0.02, max: 1, step: 0.01, show: (v) => v.toFixed(2), says: "share of each class that λ lets pass" },
  { key: "window", name: "window", min: 1, max: 201, step: 2, show: String, says: "side of the voting neighbourhood in pixels" },
  { key: "alpha", name: "α", min: 0, max: 1, step: 0.05, show: (v) => v.toFixed(2), says: "weight of the neighbours against the pixel's own score" },
  { key: "iterations", name: "iterations", min: 0, max: 6, step: 1, show: String, says: "voting iterations" },
];

const storedValue = (key) => (key === "portion" ? roundA().portion : roundA().voting?.[key]);
const differs = (key) => state[key] !== undefined && Math.abs(state[key] - storedValue(key)) > 1e-9;

export function resetKeys() {
  update({ portion: undefined, window: undefined, alpha: undefined, iterations: undefined });
}

let drawnFor = "";
export function drawWhatIf() {
  const round = roundA();
  $("whatif-section").hidden = !round.labels;
  if (!round.labels) return;
  const identity = `${round.method} ${round.seed} ${round.name}`;
  if (drawnFor !== identity) {
    $("whatif").replaceChildren(...SLIDERS.map(drawSlider));
    drawnFor = identity;
  }
  const counting = scan.done < scan.total;
  for (const { key, show } of SLIDERS) {
    const value = state[key] ?? storedValue(key);
    const input = $(`key-${key}`);
    if (document.activeElement !== input) input.value = value;
    input.disabled = (key === "portion" && counting) || (key !== "portion" && round.phase2);
    const line = input.parentElement;
    line.classList.toggle("changed", differs(key));
    line.classList.toggle("absent", input.disabled);
    line.querySelector("output").textContent = show(Number(value));
  }
  $("reset").hidden = !SLIDERS.some(({ key }) => differs(key));
  $("whatif-note").textContent = whatIfNote(round, counting);
}

function whatIfNote(round, counting) {
  if (counting) return `λ at another portion needs the confidences of all images: ${scan.done} of ${scan.total} are read.`;
  if (round.phase2) return "Phase 2 does not vote: it labels easy images in full.";
  const votes = state.iterations ?? round.voting.iterations;
  if (!votes) return "This method does not vote. Raise the iterations to see what voting would add to it.";
  return roundB() ? "Holds for the left side." : "Computed for this image at once; nothing is written.";
}

function drawSlider({ key, name, min, max, step, says }) {
  const input = make("input", {
    type: "range", id: `key-${key}`, min, max, step,
    oninput: () => {
      const value = Number(input.value);
      update({ [key]: Math.abs(value - storedValue(key)) < 1e-9 ? undefined : value });
    },
  });
  return make("div", { className: "slider", title: says }, make("label", { htmlFor: input.id }, name), input, make("output"));
}

// ---- the pixel

const askPixel = latest((signal, question) => ask("pixel", question, signal));

export async function drawPixel() {
  if (state.x === undefined || !state.image) return;
  const question = { ...entries(roundA()), ...changedKeys(), image: state.image, x: state.x, y: state.y };
  let found;
  try {
    found = await askPixel(question);
  } catch (error) {
    if (error.status === 409) return;
    $("pixel").replaceChildren(make("p", { className: "note" }, error.message));
    showWindow(null);
    return;
  }
  if (!found) return;
  showWindow(found.window);
  $("pixel-place").textContent = `x ${found.x}, y ${found.y}`;
  const sentence = make("p", { className: "sentence", id: "sentence" }, found.sentence);
  sentence.style.borderColor = found.label === null ? "" : colorOf(found.label_name);
  const facts = [["predicted", found.prediction], ["truth", found.truth], ["label", found.label_name || "none"]];
  $("pixel").replaceChildren(
    sentence,
    make("p", { className: "facts-line" }, ...facts.filter(([, v]) => v).map(([k, v]) => make("span", {}, `${k} `, make("b", {}, v)))),
    table(["class", "p", "λ", "r = p/λ"], found.scores.map((s) => ({
      className: s.class_id === found.label ? "winner" : "",
      cells: [[swatch(colorOf(s.name)), s.name], score(s.p), score(s.threshold), score(s.r)],
    }))),
    ...drawVotes(found),
  );
  const place = `${found.x} ${found.y}`;
  if (place !== shownPlace) $("pixel").parentElement.scrollIntoView({ block: "nearest" });
  shownPlace = place;
}
let shownPlace = "";

function drawVotes(found) {
  if (!found.votes.length) return [];
  const rows = found.votes.map((vote) => ({
    className: vote.combined >= 1 && vote.class_id === found.label ? "winner" : "faint",
    cells: [[`${vote.iteration}. `, swatch(colorOf(vote.name)), vote.name], score(vote.own), String(vote.neighbours), score(vote.pooled), score(vote.combined)],
  }));
  const { window: pixels } = found.votes[0];
  return [
    make("h3", {}, "Votes"),
    table(["iteration", "own r", "of class", "pooled", "together"], rows),
    make("p", { className: "note" }, `Together: own and pooled score weighed by α; 1 gives the label. Of class: neighbours with that label, of ${pixels} in the window.`),
  ];
}

// ---- the image

const askFigures = latest((signal, questions) =>
  Promise.all(questions.map((question) => ask("figures", question, signal))));

export async function drawFigures() {
  if (!state.image) return;
  const questions = [{ ...entries(roundA()), ...changedKeys(), image: state.image }];
  if (roundB()) questions.push({ ...entries(roundB()), image: state.image });
  let found;
  try {
    found = await askFigures(questions);
  } catch (error) {
    if (error.status !== 409) report(error);
    return;
  }
  if (!found) return;
  const [a, b] = found;
  const sides = b ? `Left / right: ${shortName(roundA().name)} / ${shortName(roundB().name)}.` : null;
  const pair = (get) => (b ? `${get(a)} / ${get(b)}` : get(a));
  const big = [
    ["labelled", pair((f) => percent(f.density))],
    ["labels right", pair((f) => percent(f.accuracy))],
    ["prediction right", pair((f) => percent(f.prediction_accuracy))],
    ["confidence", pair((f) => (f.confidence === null ? "–" : f.confidence.toFixed(3)))],
  ].filter(([name]) => experiment.truth || !name.endsWith("right")).filter(([name]) => roundA().labels || name.startsWith("prediction"));
  $("figures").replaceChildren(
    make("div", { className: "big", id: "big" }, ...big.map(([name, value]) => make("div", {}, make("b", {}, value), make("span", {}, name)))),
    sides ? make("p", { className: "note" }, sides) : "",
    ...(roundA().labels ? [drawOrigins(a)] : []),
    make("h3", {}, "By class"),
    drawClasses(a),
    make("p", { className: "note" }, experiment.truth
      ? "Shares of the pixels that have ground truth; right: labels that agree with it."
      : "Shares of the image's pixels."),
  );
}

function drawOrigins(found) {
  const colors = Object.fromEntries((roundA().origins ?? []).map(({ origin, color }) => [origin, color]));
  return table(["origin", "labelled", "right"], found.origins.map(({ origin, density, accuracy }) => ({
    className: density ? "" : "faint",
    cells: [[swatch(colors[origin] ?? "#882255"), origin.replace("_", " ")], percent(density), percent(accuracy)],
  })));
}

function drawClasses(found) {
  const labels = roundA().labels;
  const header = ["class", "λ", "predicted", ...(labels ? ["labelled", "right"] : [])];
  return table(header, found.classes.map((row) => ({
    className: row.predicted || row.density ? "" : "faint",
    cells: [
      [swatch(colorOf(row.class)), row.class], labels ? score(row.threshold) : "–", percent(row.predicted),
      ...(labels ? [percent(row.density), percent(row.accuracy, 0)] : []),
    ],
  })));
}
