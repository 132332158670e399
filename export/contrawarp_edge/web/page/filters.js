// Filters by metadata and by the least score, and the order of what is found.

import { labelled, make } from "./dialogs.js";

const MOST_CHOICES = 60;
const form = document.getElementById("filters");
const slider = document.getElementById("min-score");
const output = document.getElementById("score-value");
const sort = document.getElementById("sort");
const bestOf = document.getElementById("best-of");
let controls = [];

/** Makes a control for each field, {name, values: [{value, count}]}, and one for classes. */
export function setUpFilters(fields, classes, onChange) {
  controls = fields.map(({ name, values }) => {
    const control = values.length <= MOST_CHOICES ? choice(values) : text(name, values);
    return { name, label: labelled(name, control.element), ...control };
  });
  document.getElementById("fields").replaceChildren(...controls.map(({ label }) => label));
  setUpRanking(fields, classes);
  let waiting;
  const changed = () => {
    output.textContent = Number(slider.value) ? Number(slider.value).toFixed(2) : "any";
    clearTimeout(waiting);
    waiting = setTimeout(onChange, 150);
  };
  form.addEventListener("input", changed);
  form.addEventListener("reset", () => setTimeout(changed)); // once it is reset
  form.addEventListener("submit", (event) => event.preventDefault());
}

function setUpRanking(fields, classes) {
  if (!classes.length) return;
  document.getElementById("ranking").hidden = false;
  document.getElementById("filter-title").textContent = "Filters and order";
  sort.append(...classes.map((name) => new Option(name)));
  const names = fields.map(({ name }) => name).filter((name) => name !== "expression");
  bestOf.append(...names.map((name) => new Option(name)));
  bestOf.parentElement.hidden = !names.length;
}

function choice(values) {
  const element = make("select", {}, new Option("any", ""));
  values.forEach(({ value, count }, index) => element.add(new Option(`${value} (${count})`, index)));
  return { element, read: () => values[element.value]?.value };
}

function text(name, values) {
  const options = values.map(({ value }) => make("option", { value: String(value) }));
  const id = `values-${name}`;
  const element = make("input", { placeholder: "any" });
  element.setAttribute("list", id);
  const typed = new Map(values.map(({ value }) => [String(value), value]));
  return {
    element: make("span", {}, element, make("datalist", { id }, ...options)),
    read: () => (element.value === "" ? undefined : typed.get(element.value) ?? element.value),
  };
}

/** What is chosen: {where, minScore, sort, bestOf}, null where nothing is. */
export function readFilters() {
  const chosen = controls.map(({ name, read }) => [name, read()]);
  return {
    where: Object.fromEntries(chosen.filter(([, value]) => value !== undefined)),
    minScore: Number(slider.value) || null,
    sort: sort.value || null,
    bestOf: bestOf.value || null,
  };
}

export const clearFilters = () => form.reset();
