// Building elements: text goes in as text, so a name cannot become markup.

export const $ = (id) => document.getElementById(id);

export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(properties)) {
    if (key === "style") for (const [name, text] of Object.entries(value)) element.style.setProperty(name, text);
    else if (key.startsWith("aria-") || key === "role" || key === "for") element.setAttribute(key, value);
    else if (key.startsWith("data-")) element.dataset[key.slice(5)] = value;
    else if (value !== undefined) element[key] = value;
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

export const swatch = (color) => make("span", { className: "swatch", style: { background: color } });

export const percent = (value, digits = 1) =>
  value === null || value === undefined ? "–" : `${(100 * value).toFixed(digits)} %`;

// A score or probability: more digits near 1, where they tell confident from not.
export function score(value) {
  if (value === null || value === undefined) return "–";
  for (let digits = 3; digits < 7; digits++) {
    const text = value.toFixed(digits);
    if (Number(text) !== 1 || value === 1) return text;
  }
  return value.toFixed(6);
}

export function table(header, rows) {
  return make(
    "table", {},
    make("thead", {}, make("tr", {}, ...header.map((text) => make("th", {}, text)))),
    make("tbody", {}, ...rows.map(({ className = "", cells }) =>
      make("tr", { className }, ...cells.map((cell) => make("td", {}, ...[cell].flat()))))),
  );
}
