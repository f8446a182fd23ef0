// Choosing method, seed and round, for one side or for both.
import { $, make } from "./dom.js";
import { state, update } from "./state.js";

export let experiment = null;

export function setExperiment(found) {
  experiment = found;
  $("experiment").textContent = found.name;
  document.title = `${found.name} · tpld view`;
}

const find = (method, seed, name) =>
  experiment?.rounds.find((r) => r.method === method && String(r.seed) === String(seed) && r.name === name);

export const roundA = () => find(state.method, state.seed, state.round);
export const roundB = () => (state.bMethod ? find(state.bMethod, state.bSeed, state.bRound) : undefined);

export const shortName = (name) =>
  name === "source" ? "source" : name.replace("phase2_round", "phase 2, r").replace("round", "r");

export const sideName = (round) =>
  round.name === "source" ? `${round.method}, seed ${round.seed}`
    : `${round.method}, seed ${round.seed}, ${round.name.replace("phase2_", "phase 2, ").replace("round", "round ")}`;

// The entries of a question about a side.
export function entries(round) {
  return { method: round.method, seed: round.seed, round: round.name, v: round.version };
}

// Keys that are changed in the page; they hold for the left side.
export const changedKeys = () => ({
  portion: state.portion, window: state.window, iterations: state.iterations, alpha: state.alpha,
});

// Complete a choice with what exists: another method may lack the seed or round.
function nearest(method, seed, name) {
  const exact = find(method, seed, name);
  if (exact) return exact;
  const ofMethod = experiment.rounds.filter((r) => r.method === method);
  const ofSeed = ofMethod.filter((r) => String(r.seed) === String(seed));
  return ofSeed.find((r) => r.name === name) ?? ofSeed[0] ?? ofMethod[0];
}

export function choose(method, seed, name, step = true) {
  const found = nearest(method, seed, name) ?? experiment.rounds[0];
  update({ method: found.method, seed: String(found.seed), round: found.name }, step);
}

export function chooseB(method, seed, name, step = true) {
  const found = nearest(method, seed, name) ?? experiment.rounds[0];
  update({ bMethod: found.method, bSeed: String(found.seed), bRound: found.name }, step);
}

export function toggleCompare() {
  if (state.bMethod) {
    update({ bMethod: undefined, bSeed: undefined, bRound: undefined }, true);
    return;
  }
  // The round before is what one mostly wants beside a round; else the same one, as stored.
  const all = experiment.rounds.filter((r) => r.method === state.method && String(r.seed) === String(state.seed));
  const place = all.findIndex((r) => r.name === state.round);
  const other = Object.values(changedKeys()).some((v) => v !== undefined) ? all[place] : all[place - 1] ?? all[place + 1] ?? all[place];
  chooseB(other.method, other.seed, other.name);
}

// The round before or after, or the next method.
export function stepRound(by) {
  const all = experiment.rounds.filter((r) => r.method === state.method && String(r.seed) === String(state.seed));
  const next = all[all.findIndex((r) => r.name === state.round) + by];
  if (next) choose(next.method, next.seed, next.name);
}

export function stepMethod() {
  const methods = [...new Set(experiment.rounds.map((r) => r.method))];
  choose(methods[(methods.indexOf(state.method) + 1) % methods.length], state.seed, state.round);
}

export function drawPickers() {
  drawPicker("", state.method, state.seed, state.round, choose);
  const b = Boolean(state.bMethod);
  $("picker-b").hidden = !b;
  $("compare").setAttribute("aria-pressed", String(b));
  if (b) drawPicker("b-", state.bMethod, state.bSeed, state.bRound, chooseB);
}

function drawPicker(prefix, method, seed, name, pick) {
  const methods = [...new Set(experiment.rounds.map((r) => r.method))];
  const ofMethod = experiment.rounds.filter((r) => r.method === method);
  fill($(`${prefix}method`), methods, method, (value) => pick(value, seed, name));
  const seeds = [...new Set(ofMethod.map((r) => String(r.seed)))];
  fill($(`${prefix}seed`), seeds, String(seed), (value) => pick(method, value, name));
  $(`${prefix}rounds`).replaceChildren(...ofMethod.filter((r) => String(r.seed) === String(seed)).map((r) =>
    make("button", {
      role: "radio", "aria-checked": String(r.name === name), textContent: shortName(r.name),
      title: r.problem ?? (r.portion ? `portion ${r.portion}` : ""), onclick: () => pick(method, seed, r.name),
    })));
}

function fill(select, values, chosen, pick) {
  const options = values.map((value) => make("option", { value, textContent: value }));
  select.replaceChildren(...options);
  select.value = chosen;
  select.onchange = () => pick(select.value);
}
