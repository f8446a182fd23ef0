// Brings the parts together: every change of the state redraws what depends on it.
import { ask } from "./api.js";
import { $ } from "./dom.js";
import { setUpKeys } from "./keys.js";
import { chosen, drawFilters, reload, setUpList, stepImage } from "./list.js";
import { drawFigures, drawLayers, drawPixel, drawWhatIf, setUpPanels } from "./panels.js";
import { choose, chooseB, drawPickers, experiment, roundA, roundB, setExperiment, toggleCompare } from "./rounds.js";
import { drawStage, fit, setUpStage, showWindow, zoom } from "./stage.js";
import { onChange, state, update } from "./state.js";

const SIDE = ["method", "seed", "round"];
const OTHER = ["bMethod", "bSeed", "bRound"];
const KEYS = ["portion", "window", "iterations", "alpha"];
const LIST = ["sort", "descending", "text", "class", "subset", "low", "high"];

function report(error) {
  const text = error?.message ?? "";
  $("problem").textContent = text;
  $("problem").hidden = !text;
}

function changed(now, before, keys) {
  return keys.some((key) => now[key] !== before[key]);
}

function redraw(now, before) {
  const [side, other] = [changed(now, before, SIDE), changed(now, before, OTHER)];
  const [keys, image] = [changed(now, before, KEYS), changed(now, before, ["image"])];
  if (side || image) report(null);
  if (!roundA()) {
    choose(now.method, now.seed, now.round, false);
    return;
  }
  if (now.bMethod && !roundB()) {
    chooseB(now.bMethod, now.bSeed, now.bRound, false);
    return;
  }
  if (roundA().problem) report(new Error(roundA().problem));
  if (side || other) drawPickers();
  const list = changed(now, before, LIST);
  if (side || list) drawFilters();
  if (side || list) reload(!side && !image);
  else if (image) chosen();
  drawStage();
  if (side || other || changed(now, before, ["layers", "only"]) || keys) drawLayers();
  if (side || keys || other) drawWhatIf();
  if (side || image || keys || changed(now, before, ["x", "y"])) drawPixel();
  if (now.x === undefined) showWindow(null);
  if (side || other || image || keys) drawFigures();
}

async function start() {
  setUpList(report);
  setUpStage(report);
  setUpPanels(report);
  $("compare").onclick = toggleCompare;
  $("previous").onclick = () => stepImage(-1);
  $("next").onclick = () => stepImage(1);
  $("zoom-in").onclick = () => zoom(1.4);
  $("zoom-out").onclick = () => zoom(1 / 1.4);
  $("zoom-fit").onclick = () => fit(true);
  $("share").onclick = share;
  try {
    setExperiment(await ask("experiment"));
  } catch (error) {
    report(error);
    return;
  }
  setUpKeys();
  onChange(redraw);
  // Without a choice in the address: the last row, which is the method on trial, at its first round.
  const first = experiment.rounds.filter((r) => r.labels && !r.problem).at(-1) ?? experiment.rounds.at(-1);
  const method = state.method ?? first.method;
  const rounds = experiment.rounds.filter((r) => r.method === method);
  const opening = rounds.find((r) => r.labels && !r.problem) ?? rounds[0] ?? first;
  Object.assign(state, { method, seed: state.seed ?? String(opening.seed), round: state.round ?? opening.name });
  const everything = [...SIDE, ...OTHER, ...KEYS, ...LIST, "image", "layers", "only", "x", "y"];
  redraw(state, Object.fromEntries(everything.map((key) => [key, Symbol("unknown")])));
  document.documentElement.dataset.ready = "1";
}

async function share() {
  update({});
  try {
    await navigator.clipboard.writeText(location.href);
    $("share").textContent = "Copied";
  } catch {
    $("share").textContent = "See the address bar";
  }
  setTimeout(() => { $("share").textContent = "Copy link"; }, 1500);
}

start();
