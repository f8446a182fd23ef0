// The list of images: only what is in view exists, and pages are fetched when they come into view.
import { address, ask, latest } from "./api.js";
import { $, make } from "./dom.js";
import { entries, experiment, roundA } from "./rounds.js";
import { state, update } from "./state.js";

const ROW = 150; // height of .item in layout.css
const PAGE = 60;
const SPARE = 3; // rows beyond either end of what is in view
const NAMES = {
  name: "name", confidence: "confidence", density: "density", accuracy: "accuracy",
  prediction_accuracy: "accuracy of the prediction", class: "share of the class",
};

let pages = new Map();
let total = 0;
let position = null;
let generation = 0;
let timer = null;
let report = () => {};

const first = latest((signal, question) => ask("images", question, signal));

export function setUpList(onProblem) {
  report = onProblem;
  $("list").addEventListener("scroll", () => requestAnimationFrame(drawRows));
  new ResizeObserver(drawRows).observe($("list"));
  const typed = debounce(() => update({ text: $("text").value || undefined }), 200);
  $("text").addEventListener("input", typed);
  $("sort").onchange = () => {
    const sort = $("sort").value;
    update({ sort, descending: sort !== "name", low: undefined, high: undefined });
  };
  $("direction").onclick = () => update({ descending: !state.descending });
  $("class-filter").onchange = () => update({ class: whole($("class-filter").value) });
  $("subset").onchange = () => update({ subset: $("subset").value || undefined });
  const bounded = debounce(() => update({ low: bound("low"), high: bound("high") }), 300);
  for (const id of ["low", "high"]) $(id).addEventListener("input", bounded);
}

function bound(id) {
  const value = Number.parseFloat($(id).value);
  if (!Number.isFinite(value)) return undefined;
  return inPercent() ? value / 100 : value;
}

const inPercent = () => state.sort !== "confidence";
const whole = (text) => (text === "" ? undefined : Number.parseInt(text, 10));

function debounce(work, wait) {
  let pending;
  return () => {
    clearTimeout(pending);
    pending = setTimeout(work, wait);
  };
}

// The filters as the state has them.
export function drawFilters() {
  const truth = experiment.truth;
  const sorts = experiment.sorts.filter((s) => truth || !s.includes("accuracy"));
  options($("sort"), sorts.map((s) => [s, `by ${NAMES[s]}`]), state.sort);
  $("direction").textContent = state.descending ? "↓" : "↑";
  $("direction").title = state.descending ? "largest first" : "smallest first";
  const classes = experiment.classes.map((c, i) => [String(i), c.name]);
  options($("class-filter"), [["", "any class"], ...classes], String(state.class ?? ""));
  options($("subset"), [["", "all"], ["easy", "easy"], ["hard", "hard"]], state.subset ?? "");
  $("subset").hidden = !roundA().phase2;
  $("range").hidden = state.sort === "name";
  if (document.activeElement !== $("text")) $("text").value = state.text ?? "";
  for (const id of ["low", "high"]) {
    const shown = state[id] === undefined ? "" : inPercent() ? 100 * state[id] : state[id];
    if (document.activeElement !== $(id)) $(id).value = shown;
    $(id).placeholder = `${id === "low" ? "from" : "to"}${inPercent() ? " %" : ""}`;
  }
}

function options(select, pairs, chosen) {
  select.replaceChildren(...pairs.map(([value, textContent]) => make("option", { value, textContent })));
  select.value = chosen;
}

function question(offset) {
  const round = roundA();
  return {
    ...entries(round), sort: state.sort, descending: state.descending ? "1" : "", text: state.text,
    class: state.class, subset: round.phase2 ? state.subset : undefined, low: state.low, high: state.high,
    offset, limit: PAGE,
  };
}

// Ask anew; `keep` shows what there is until the answer has come.
export async function reload(keep = false) {
  const mine = ++generation;
  clearTimeout(timer);
  let answer;
  try {
    answer = await first({ ...question(0), image: state.image });
  } catch (error) {
    report(error);
    return;
  }
  if (!answer) return;
  pages = new Map([[0, answer.images]]);
  total = answer.total;
  position = answer.position ?? null;
  if (!keep && position === null) $("list").scrollTop = 0;
  if (!state.image && answer.images.length) update({ image: answer.images[0].name });
  drawRows();
  drawPosition();
  if (!keep) reveal();
  follow(answer.scan, mine);
}

// While images are being scanned their figures come in, and the order may change.
function follow(scan, mine) {
  const busy = scan.done < scan.total && !scan.error;
  $("scan-bar").hidden = !busy;
  $("scan-bar").value = scan.done / Math.max(1, scan.total);
  $("scan").textContent = busy ? `reading ${scan.done} of ${scan.total}` : "";
  if (scan.error) report(new Error(scan.error));
  document.dispatchEvent(new CustomEvent("scanned", { detail: scan }));
  if (!busy) return;
  timer = setTimeout(() => mine === generation && reload(true), 1500);
}

export function drawRows() {
  if (!experiment) return; // the list is laid out before the first answer
  const list = $("list");
  const rows = $("rows");
  rows.style.height = `${total * ROW}px`;
  const from = Math.max(0, Math.floor(list.scrollTop / ROW) - SPARE);
  const to = Math.min(total, Math.ceil((list.scrollTop + list.clientHeight) / ROW) + SPARE);
  const old = new Map([...rows.children].map((element) => [element.dataset.key, element]));
  const wanted = [];
  for (let i = from; i < to; i++) {
    const entry = pages.get(Math.floor(i / PAGE))?.[i % PAGE];
    if (!entry) {
      fetchPage(Math.floor(i / PAGE));
      continue;
    }
    const key = JSON.stringify([i, entry, state.sort, state.method, state.round]);
    const item = old.get(key) ?? drawItem(entry, i, key);
    item.setAttribute("aria-selected", String(entry.name === state.image));
    wanted.push(item);
  }
  if (!total) wanted.push(make("div", { className: "empty" }, "No image passes the filters."));
  // Elements that stay are not moved, so that their pictures are not asked for again.
  for (const element of [...rows.children]) if (!wanted.includes(element)) element.remove();
  for (const element of wanted) if (!element.isConnected) rows.append(element);
  $("count").textContent = total === experiment.images ? `${total} images` : `${total} of ${experiment.images} images`;
}

async function fetchPage(page) {
  if (pages.has(page)) return;
  pages.set(page, undefined);
  const mine = generation;
  try {
    const answer = await ask("images", question(page * PAGE));
    if (mine !== generation) return;
    pages.set(page, answer.images);
    drawRows();
  } catch (error) {
    pages.delete(page);
    report(error);
  }
}

function drawItem(entry, place, key) {
  const photo = address("photo", { ...entries(roundA()), image: entry.name, small: 1 });
  const facts = [
    ["confidence", entry.confidence === null ? null : `conf ${entry.confidence.toFixed(2)}`],
    ["density", entry.density === null || !roundA().labels ? null : `${Math.round(100 * entry.density)} % labelled`],
    ["accuracy", entry.accuracy === null ? null : `${Math.round(100 * entry.accuracy)} % right`],
  ];
  if (state.sort === "class" && state.class !== undefined) {
    facts.splice(1, 1, ["class", `${(100 * entry.class).toFixed(1)} % ${experiment.classes[state.class].name}`]);
  }
  if (state.sort === "prediction_accuracy" && entry.prediction_accuracy !== null) {
    facts.splice(1, 2, ["prediction_accuracy", `${Math.round(100 * entry.prediction_accuracy)} % predicted right`]);
  }
  const words = facts.filter(([, text]) => text).map(([name, text]) =>
    make("span", { className: name === state.sort ? "sorted" : "" }, text));
  const picture = experiment.photos
    ? make("img", { className: "thumb", src: photo, alt: "", loading: "lazy", decoding: "async" })
    : make("span", { className: "thumb" });
  const mark = entry.easy === null ? "" : entry.easy ? " · easy" : " · hard";
  return make(
    "div",
    {
      className: "item", role: "option", title: entry.name, "data-key": key, "data-name": entry.name,
      style: { top: `${place * ROW}px` }, onclick: () => update({ image: entry.name }, true),
    },
    picture,
    make("span", { className: "name" }, make("bdi", {}, `${entry.name}${mark}`)),
    make("span", { className: "facts" }, ...words),
  );
}

function drawPosition() {
  $("position").textContent = position === null ? "not in the list" : `${position + 1} of ${total}`;
}

// Scroll the chosen image into view.
function reveal() {
  if (position === null) return;
  const list = $("list");
  const top = position * ROW;
  if (top < list.scrollTop || top + ROW > list.scrollTop + list.clientHeight) {
    list.scrollTop = top - (list.clientHeight - ROW) / 2;
  }
}

// The image before or after the chosen one.
export async function stepImage(by) {
  const next = position === null ? 0 : position + by;
  if (next < 0 || next >= total) return;
  const page = Math.floor(next / PAGE);
  if (!pages.get(page)) {
    pages.delete(page);
    await fetchPage(page);
  }
  const entry = pages.get(page)?.[next % PAGE];
  if (entry) update({ image: entry.name }, true);
}

// Another image was chosen: find its place among what is known, or ask.
export function chosen() {
  for (const [page, images] of pages) {
    const place = images?.findIndex((entry) => entry.name === state.image) ?? -1;
    if (place >= 0) {
      position = page * PAGE + place;
      drawRows();
      drawPosition();
      reveal();
      return;
    }
  }
  reload();
}
