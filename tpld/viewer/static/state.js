// What the page shows, kept in its address: a copied link shows the same again.

export const LAYERS = [
  { id: "photo", name: "Image", key: "1", says: "the target image" },
  { id: "prediction", name: "Prediction", key: "2", says: "the class of largest probability p" },
  { id: "confidence", name: "Confidence", key: "3", says: "p of the predicted class" },
  { id: "label", name: "Pseudo label", key: "4", says: "what the network is trained on; clear where there is none" },
  { id: "origin", name: "Origin", key: "5", says: "where a label comes from: confident, voted in iteration 1 to 3, full" },
  { id: "winner", name: "Best score", key: "6", says: "largest normalised score r = p / λ; from 1 on the class is confident" },
  { id: "runner_up", name: "Runner-up score", key: "7", says: "second largest r: the other class that stands for election" },
  { id: "truth", name: "Ground truth", key: "8", says: "never seen by a training" },
  { id: "label_error", name: "Label error", key: "9", says: "pseudo labels that are right (blue) and wrong (orange)" },
  { id: "prediction_error", name: "Prediction error", key: "0", says: "the same of the prediction" },
];

const TEXTS = ["method", "seed", "round", "bMethod", "bSeed", "bRound", "image", "sort", "text", "subset", "view"];
const NUMBERS = ["x", "y", "portion", "window", "iterations", "alpha", "class", "low", "high", "swipe", "only"];
const START = { sort: "name", swipe: 0.5 };
const SHOWN = { photo: 1, label: 0.75 };

const listeners = [];
export const state = read();

export function onChange(listener) {
  listeners.push(listener);
}

// Change some entries. `step` makes a new entry of the browser's history; without it the
// current one is replaced, as for everything that changes while a slider moves.
export function update(changes, step = false) {
  const before = { ...state };
  Object.assign(state, changes);
  const address = `${location.pathname}${write()}`;
  if (address !== location.pathname + location.search) {
    history[step ? "pushState" : "replaceState"](null, "", address);
  }
  for (const listener of listeners) listener(state, before);
}

addEventListener("popstate", () => {
  const before = { ...state };
  for (const key of Object.keys(state)) delete state[key];
  Object.assign(state, read());
  for (const listener of listeners) listener(state, before);
});

// Opacity of a layer; 0 where it is not shown.
export const opacity = (id) => state.layers[id] ?? 0;

function read() {
  const query = new URLSearchParams(location.search);
  const found = { ...START, descending: query.get("descending") === "1", layers: { ...SHOWN } };
  for (const key of TEXTS) if (query.has(key)) found[key] = query.get(key);
  for (const key of NUMBERS) {
    const value = Number.parseFloat(query.get(key));
    if (Number.isFinite(value)) found[key] = value;
  }
  if (query.has("layers")) {
    found.layers = {};
    for (const part of query.get("layers").split(",")) {
      const [id, percent] = part.split(":");
      const share = Number.parseFloat(percent) / 100;
      if (LAYERS.some((layer) => layer.id === id) && share > 0) found.layers[id] = Math.min(1, share);
    }
  }
  return found;
}

function write() {
  const query = new URLSearchParams();
  for (const key of [...TEXTS, ...NUMBERS]) {
    const value = state[key];
    if (value !== undefined && value !== null && value !== "" && value !== START[key]) query.set(key, value);
  }
  if (state.descending) query.set("descending", "1");
  const shown = LAYERS.filter(({ id }) => opacity(id) > 0);
  const layers = shown.map(({ id }) => `${id}:${Math.round(100 * opacity(id))}`).join(",");
  if (layers !== "photo:100,label:75") query.set("layers", layers);
  const text = query.toString();
  return text ? `?${text}` : "";
}
