// The hits: a list of pictures through which the arrow keys move.

import { bars } from "./bars.js";

const BARS = 3;
const list = document.getElementById("grid");
const template = document.getElementById("card");
const cards = () => [...list.children];

let handlers = {};
let shown = [];
let active = 0;

export const fileName = (path) => path.split(/[\\/]/).pop();

export const formatScore = (score) => score.toFixed(3).replace("-0.000", "0.000");

/** Metadata in one line. */
export function describe(metadata) {
  return Object.values(metadata).filter((value) => typeof value !== "object").join(" · ");
}

/** Sets what to do with a hit: pick, like, unlike, info; and thumbnail(id), its url. */
export function setUpGrid(given) {
  handlers = given;
}

/** Shows hits in their order; their scores only if they have some, and first a class's bar. */
export function showHits(hits, scored, sort = null) {
  const focused = list.contains(document.activeElement);
  list.classList.toggle("scored", scored);
  shown = hits;
  list.replaceChildren(...hits.map((hit, rank) => card(hit, rank, scored, sort)));
  activate(0, focused);
}

function card(hit, rank, scored, sort) {
  const item = template.content.firstElementChild.cloneNode(true);
  const find = (selector) => item.querySelector(selector);
  const name = fileName(hit.path);
  const facts = describe(hit.metadata);
  const pick = find(".pick");
  let label = `Face ${rank + 1}`;
  if (scored) {
    const score = formatScore(hit.score);
    label = `Hit ${rank + 1}, score ${score}`;
    find(".number").textContent = score;
    find(".meter span").style.setProperty("--share", Math.max(0, hit.score));
  }
  pick.setAttribute("aria-label", `${label}, ${name}, ${facts}. Search like this.`);
  find(".name").textContent = name;
  find(".name").title = hit.path;
  find(".meta").textContent = facts;
  find(".meta").title = facts;
  find(".meta").after(bars(hit.scores, BARS, sort));
  for (const action of ["like", "unlike", "info"]) {
    const button = find(`.${action}`);
    button.setAttribute("aria-label", `${button.title}: hit ${rank + 1}`);
    button.addEventListener("click", () => handlers[action](hit));
  }
  pick.addEventListener("click", () => handlers.pick(hit));
  item.addEventListener("focusin", () => activate(rank, false));
  showThumbnail(find("img"), hit, pick);
  return item;
}

async function showThumbnail(image, hit, pick) {
  image.addEventListener("error", () => pick.classList.add("missing"));
  try {
    image.src = await handlers.thumbnail(hit.id);
  } catch {
    pick.classList.add("missing");
  }
}

// One card at a time can be reached with Tab; the arrow keys choose which.
function activate(position, focus) {
  active = Math.min(Math.max(0, position), shown.length - 1);
  cards().forEach((item, index) => {
    for (const button of item.querySelectorAll("button")) button.tabIndex = index === active ? 0 : -1;
  });
  if (focus) cards()[active]?.querySelector(".pick").focus();
}

function columns() {
  const tops = cards().map((item) => item.offsetTop);
  return Math.max(1, tops.filter((top) => top === tops[0]).length);
}

list.addEventListener("keydown", (event) => {
  if (event.altKey || event.ctrlKey || event.metaKey) return;
  const target = {
    ArrowRight: active + 1, ArrowLeft: active - 1,
    ArrowDown: active + columns(), ArrowUp: active - columns(),
    Home: 0, End: shown.length - 1,
  }[event.key];
  const action = { "+": "like", "-": "unlike", i: "info" }[event.key];
  if (action) handlers[action](shown[active]);
  else if (target === undefined) return;
  else if (target >= 0 && target < shown.length) activate(target, true);
  event.preventDefault();
});
