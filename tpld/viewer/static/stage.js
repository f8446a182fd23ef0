// The image with its layers: zooming, panning, swiping, and choosing a pixel.
import { address, ask } from "./api.js";
import { $, make } from "./dom.js";
import { changedKeys, entries, experiment, roundA, roundB, sideName } from "./rounds.js";
import { LAYERS, opacity, state, update } from "./state.js";

const LABELLED = ["label", "origin", "winner", "runner_up", "label_error"]; // depend on the keys
const BY_CLASS = ["prediction", "label", "truth"];
const view = { scale: 1, x: 0, y: 0, fitted: true };
let size = { width: 1, height: 1 };
let report = () => {};
const slots = new Map(); // "a label" -> { url, element }

export const available = (id, round) => {
  if (id === "photo") return experiment.photos;
  if (id === "truth" || id === "prediction_error") return experiment.truth;
  if (id === "label_error") return experiment.truth && round.labels;
  return id === "prediction" || id === "confidence" || round.labels;
};

export function setUpStage(onProblem) {
  report = onProblem;
  const stage = $("stage");
  stage.addEventListener("wheel", (event) => {
    event.preventDefault();
    zoomAt(Math.exp(-event.deltaY * 0.0016), event.clientX, event.clientY);
  }, { passive: false });
  stage.addEventListener("pointerdown", drag);
  stage.addEventListener("dblclick", (event) => event.preventDefault());
  $("swipe").addEventListener("pointerdown", swipe);
  $("swipe").addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -0.02, ArrowRight: 0.02 }[event.key];
    if (!by) return;
    event.preventDefault();
    event.stopPropagation();
    update({ swipe: limit(state.swipe + by, 0, 1) });
  });
  new ResizeObserver(() => (view.fitted ? fit() : place())).observe(stage);
  const [scale, x, y] = (state.view ?? "").split("_").map(Number);
  if ([scale, x, y].every(Number.isFinite) && scale > 0) Object.assign(view, { scale, x, y, fitted: false });
}

const limit = (value, low, high) => Math.min(high, Math.max(low, value));

// ---- zoom and pan

export function fit(remember = false) {
  const box = $("stage").getBoundingClientRect();
  const margin = 16;
  view.scale = Math.min((box.width - 2 * margin) / size.width, (box.height - 2 * margin) / size.height);
  view.scale = Math.max(view.scale, 0.01);
  view.x = (box.width - size.width * view.scale) / 2;
  view.y = (box.height - size.height * view.scale) / 2;
  view.fitted = true;
  place();
  if (remember) update({ view: undefined });
}

export function zoom(factor) {
  const box = $("stage").getBoundingClientRect();
  zoomAt(factor, box.left + box.width / 2, box.top + box.height / 2);
}

function zoomAt(factor, clientX, clientY) {
  const box = $("stage").getBoundingClientRect();
  const [x, y] = [clientX - box.left, clientY - box.top];
  const scale = limit(view.scale * factor, 0.05, 60);
  view.x = x - ((x - view.x) * scale) / view.scale;
  view.y = y - ((y - view.y) * scale) / view.scale;
  view.scale = scale;
  view.fitted = false;
  place();
  rememberView();
}

let remembering;
function rememberView() {
  clearTimeout(remembering);
  remembering = setTimeout(() => {
    if (!view.fitted) update({ view: [view.scale.toFixed(4), view.x.toFixed(1), view.y.toFixed(1)].join("_") });
  }, 250);
}

function place() {
  const canvas = $("canvas");
  canvas.style.width = `${size.width}px`;
  canvas.style.height = `${size.height}px`;
  canvas.style.transform = `translate(${view.x}px, ${view.y}px) scale(${view.scale})`;
  canvas.style.setProperty("--px", String(1 / view.scale));
  for (const image of canvas.querySelectorAll("img.photo")) image.classList.toggle("smooth", view.scale < 3);
  $("zoom-text").textContent = `${size.width}×${size.height} at ${Math.round(100 * view.scale)} %`;
  placeSwipe();
  drawMarker();
}

function drag(event) {
  if (event.button !== 0 || event.target.closest("#swipe, #problem")) return;
  const stage = $("stage");
  const start = { x: event.clientX, y: event.clientY, left: view.x, top: view.y };
  let moved = false;
  stage.setPointerCapture(event.pointerId);
  const move = (now) => {
    const [dx, dy] = [now.clientX - start.x, now.clientY - start.y];
    moved ||= Math.hypot(dx, dy) > 4;
    if (!moved) return;
    stage.classList.add("panning");
    Object.assign(view, { x: start.left + dx, y: start.top + dy, fitted: false });
    place();
  };
  const up = (now) => {
    stage.removeEventListener("pointermove", move);
    stage.classList.remove("panning");
    if (moved) rememberView();
    else if (now.type === "pointerup") choosePixel(now);
  };
  stage.addEventListener("pointermove", move);
  for (const end of ["pointerup", "pointercancel"]) stage.addEventListener(end, up, { once: true });
}

// ---- the pixel

function choosePixel(event) {
  const box = $("stage").getBoundingClientRect();
  const x = Math.floor((event.clientX - box.left - view.x) / view.scale);
  const y = Math.floor((event.clientY - box.top - view.y) / view.scale);
  if (x < 0 || y < 0 || x >= size.width || y >= size.height) return;
  update({ x, y });
}

export function movePixel(dx, dy) {
  if (state.x === undefined) return;
  update({ x: limit(state.x + dx, 0, size.width - 1), y: limit(state.y + dy, 0, size.height - 1) });
}

let windowSide = null;
export function showWindow(side) {
  windowSide = side;
  drawMarker();
}

function drawMarker() {
  const shown = state.x !== undefined && state.x < size.width && state.y < size.height;
  $("marker").hidden = !shown;
  $("hint").hidden = state.x !== undefined;
  $("window-box").hidden = !shown || !windowSide;
  if (!shown) return;
  $("marker").style.left = `${state.x}px`;
  $("marker").style.top = `${state.y}px`;
  if (!windowSide) return;
  const reach = (windowSide - 1) / 2;
  const [left, top] = [Math.max(0, state.x - reach), Math.max(0, state.y - reach)];
  const [right, bottom] = [Math.min(size.width, state.x + reach + 1), Math.min(size.height, state.y + reach + 1)];
  Object.assign($("window-box").style, {
    left: `${left}px`, top: `${top}px`, width: `${right - left}px`, height: `${bottom - top}px`,
  });
}

// ---- swiping

function swipe(event) {
  event.preventDefault();
  const handle = $("swipe");
  handle.setPointerCapture(event.pointerId);
  const move = (now) => {
    const box = $("stage").getBoundingClientRect();
    const x = (now.clientX - box.left - view.x) / (view.scale * size.width);
    update({ swipe: Math.round(limit(x, 0, 1) * 1000) / 1000 });
  };
  handle.addEventListener("pointermove", move);
  const end = () => handle.removeEventListener("pointermove", move);
  for (const name of ["pointerup", "pointercancel"]) handle.addEventListener(name, end, { once: true });
}

function placeSwipe() {
  const on = Boolean(roundB());
  $("swipe").hidden = !on;
  $("stack-b").hidden = !on;
  $("stack-a").style.clipPath = on ? `inset(0 ${100 - 100 * state.swipe}% 0 0)` : "";
  $("stack-b").style.clipPath = `inset(0 0 0 ${100 * state.swipe}%)`;
  if (!on) return;
  const width = $("stage").clientWidth;
  $("swipe").style.left = `${limit(view.x + state.swipe * size.width * view.scale, 0, width)}px`;
  $("swipe").setAttribute("aria-valuenow", String(Math.round(100 * state.swipe)));
}

// ---- layers

export function drawStage() {
  const [a, b] = [roundA(), roundB()];
  if (!state.image || !a) return;
  drawSide("a", a, changedKeys());
  if (b) drawSide("b", b, {});
  $("name-a").hidden = $("name-b").hidden = !b;
  if (b) {
    const changed = Object.values(changedKeys()).some((value) => value !== undefined);
    $("name-a").textContent = sideName(a) + (changed ? ", changed keys" : "");
    $("name-b").textContent = sideName(b);
  }
  $("image-name").textContent = state.image;
  placeSwipe();
  drawMarker();
}

function drawSide(side, round, keys) {
  for (const [order, { id }] of LAYERS.entries()) {
    const shown = opacity(id) > 0 && available(id, round);
    setSlot(`${side} ${id}`, shown ? layerAddress(id, round, keys) : null, order, side);
    const element = slots.get(`${side} ${id}`)?.element;
    if (element) element.style.opacity = opacity(id);
  }
}

function layerAddress(id, round, keys) {
  const question = { ...entries(round), image: state.image };
  if (id === "photo") return address("photo", question);
  Object.assign(question, { layer: id });
  if (LABELLED.includes(id)) Object.assign(question, keys);
  if (BY_CLASS.includes(id)) question.only = state.only;
  return address("layer", question);
}

// Put a picture into its place; the old one stays until the new one is there, so nothing flickers.
async function setSlot(name, url, order, side) {
  const slot = slots.get(name) ?? { url: null, element: null };
  if (slot.url === url) return;
  slot.url = url;
  slots.set(name, slot);
  if (!url) {
    slot.element?.remove();
    slot.element = null;
    return;
  }
  const id = name.slice(2);
  const image = make("img", { className: id === "photo" ? "photo smooth" : "", alt: "", "data-layer": id });
  image.style.zIndex = String(order);
  image.style.opacity = opacity(id);
  image.src = url;
  document.documentElement.dataset.loading = String(++loading);
  try {
    await image.decode();
  } catch {
    if (slot.url === url) explainFailure(url);
    return;
  } finally {
    document.documentElement.dataset.loading = String(--loading);
  }
  if (slot.url !== url) return;
  slot.element?.remove();
  slot.element = image;
  image.style.opacity = opacity(id);
  $(`stack-${side}`).append(image);
  resize(image.naturalWidth, image.naturalHeight);
}
let loading = 0;

function resize(width, height) {
  if (size.width === width && size.height === height) return;
  const first = size.width === 1;
  size = { width, height };
  if (view.fitted || !first) fit();
  else place();
}

// A picture does not tell why it failed; the same question asked again does.
async function explainFailure(url) {
  const [path, query] = url.replace("/api/", "").split("?");
  try {
    await ask(path, Object.fromEntries(new URLSearchParams(query)));
  } catch (error) {
    if (error.status !== 409) report(error); // 409: counts are under way, the slider says so
  }
}
