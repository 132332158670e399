// Ties the page together. Where searching happens is the business of backend.js.

import { openBackend } from "./backend.js";
import { photograph } from "./camera.js";
import { askCrop, drawGuide } from "./crop.js";
import { ask, askMetadata, showFacts } from "./dialogs.js";
import { NOTHING, showExamples, withExample, without } from "./examples.js";
import { clearFilters, readFilters, setUpFilters } from "./filters.js";
import { fileName, formatScore, setUpGrid, showHits } from "./grid.js";
import { drawPicture, isReady, openPicture, toBlob } from "./picture.js";

const $ = (id) => document.getElementById(id);
const STEP = 24;
const START = 12;

let backend;
let info;
let query = NOTHING;
let wanted = STEP;
let latest = 0; // counts searches, so that a late answer to an old one is dropped
let uploads = 0;
let retry;
const trail = [NOTHING]; // the query of each step, for the browser's back button

/** Does something that takes a while; shows what went wrong, and offers it again. */
async function busy(work, again) {
  document.body.classList.add("busy");
  $("alert").hidden = true;
  try {
    await work();
  } catch (error) {
    console.warn(error);
    retry = again;
    $("again").hidden = !again;
    $("alert").firstElementChild.textContent = error.message;
    $("alert").hidden = false;
    $("status").textContent = "";
  } finally {
    document.body.classList.remove("busy");
  }
}

function show(hits, status, nothing = "") {
  showHits(hits, query.like.length > 0, readFilters().sort);
  document.body.classList.toggle("found", hits.length > 0);
  $("status").textContent = status;
  $("nothing").firstElementChild.textContent = nothing;
  $("nothing").hidden = !nothing;
  $("nothing-clear").hidden = true;
  $("more").hidden = true;
}

function note(text) {
  $("note").textContent = text;
  $("note").hidden = !text;
}

/** Searches for the query and shows the hits. */
function search() {
  const { like, unlike } = query;
  const upload = like.length === 1 && like[0].picture;
  $("adjust").hidden = !upload;
  $("add").hidden = !upload || !info.writable;
  $("drop").classList.toggle("asked", like.length > 0);
  if (!like.length && unlike.length) return show([], "Add a face that the hits should be like.");
  if (like.length) return busy(findHits, search);
  const { sort, bestOf } = readFilters();
  return busy(sort || bestOf ? browse : greet, search);
}

async function findHits() {
  const turn = ++latest;
  $("status").textContent = "Searching …";
  const filters = readFilters();
  // The best of each come from as many hits as one search may bring.
  const k = filters.bestOf ? info.limits.hits : wanted;
  const { hits, images, recall } = await backend.search({ ...query, k, ...filters });
  if (turn !== latest) return;
  const best = formatScore(Math.max(...hits.map(({ score }) => score)));
  showFound(hits, images, [`best score ${best}`, ...(recall ? ["approximate"] : [])], filters);
}

/** Shows the faces of the gallery that fit the filters, in the order that was chosen. */
async function browse() {
  const turn = ++latest;
  const filters = readFilters();
  const hits = await backend.list({ ...filters, limit: wanted });
  if (turn === latest) showFound(hits, info.images, [], filters);
}

function showFound(hits, images, facts, { where, minScore, sort, bestOf }) {
  if (!hits.length) {
    const filtered = minScore !== null || bestOf !== null || Object.keys(where).length > 0;
    show([], "No hits", filtered
      ? "No face fits these filters and this score."
      : "There is no other face in this gallery.");
    $("nothing-clear").hidden = !filtered;
    return;
  }
  const shown = hits.slice(0, wanted);
  const status = [`${shown.length} of ${images.toLocaleString("en")} faces`, ...facts];
  if (sort) status.push(`sorted by ${sort}`);
  if (bestOf) status.push(`best of each ${bestOf}`);
  show(shown, status.join(", "));
  $("more").hidden = hits.length < wanted || wanted >= info.limits.hits;
}

/** Shows some faces of the gallery to start from. */
async function greet() {
  const turn = ++latest;
  if (!info.images) {
    show([], "", "This gallery holds no faces yet. Fill it with: contrawarp-edge embed");
    return;
  }
  const direction = Array.from({ length: info.dim }, () => Math.random() - 0.5);
  const like = [{ embedding: direction }];
  const { hits } = await backend.search({ like, unlike: [], k: START, ...readFilters(), minScore: null });
  if (turn === latest) show(hits, "Or start from one of these faces");
}

/** Makes something the query, as a new step that the back button returns from. */
function go(next) {
  const step = (history.state?.step ?? 0) + 1;
  trail.length = step;
  trail[step] = next;
  history.pushState({ step }, "");
  return arrive(next);
}

function arrive(next) {
  query = next;
  wanted = STEP;
  showExamples(query, (example) => go(without(query, example)));
  return search();
}

async function asExample(hit) {
  const url = await backend.thumbnail(hit.id).catch(() => "icon.svg");
  return { key: `id ${hit.id}`, id: hit.id, url, label: fileName(hit.path), scores: hit.scores };
}

async function pick(hit) {
  note("");
  await go({ like: [await asExample(hit)], unlike: [] });
  scrollTo({ top: 0 });
}

async function refine(hit, side) {
  await go(withExample(query, await asExample(hit), side));
}

async function useFile(file) {
  if (!file) return;
  await busy(async () => {
    const picture = await openPicture(file);
    await usePicture(picture, isReady(picture) ? null : await askCrop(picture));
  });
}

/** Searches with a box of a picture, all of it if null; does nothing if "cancel". */
async function usePicture(picture, box) {
  if (box === "cancel") return;
  $("status").textContent = "Embedding …";
  const { canvas, scaled } = drawPicture(picture, box);
  const image = { canvas, file: box || scaled ? null : picture.file };
  const { embedding, scores } = await backend.embed(image);
  note(scaled);
  const url = URL.createObjectURL(await toBlob(canvas, "image/png"));
  const label = picture.file.name || "your picture";
  await go({ like: [{ key: `upload ${++uploads}`, embedding, scores, picture, image, url, label }], unlike: [] });
}

function adjust() {
  const [{ picture }] = query.like;
  return busy(async () => usePicture(picture, await askCrop(picture)));
}

async function details(hit) {
  const score = query.like.length ? { score: hit.score.toFixed(4) } : {};
  const facts = { ...score, path: hit.path, id: hit.id, ...hit.metadata };
  const picture = await backend.picture(hit.id).catch(() => "");
  const answer = await showFacts(fileName(hit.path), picture, facts, info.writable);
  if (answer === "search") await pick(hit);
  if (answer === "delete") {
    await busy(async () => {
      await backend.remove(hit.id);
      await refresh();
      await go(without(query, { key: `id ${hit.id}` }));
    });
  }
}

async function add() {
  const [{ image }] = query.like;
  const names = info.fields.map(({ name }) => name);
  const metadata = await askMetadata(
    names.filter((name) => name !== "expression" || !info.classes.length),
  );
  if (!metadata) return;
  await busy(async () => {
    const record = await backend.add(image, metadata);
    await refresh();
    note(`Added as image ${record.id}.`);
  });
}

async function refresh() {
  info = await backend.info();
  $("about").textContent = `${info.gallery}: ${info.images.toLocaleString("en")} faces`;
}

function listen() {
  setUpFilters(info.fields, info.classes, search);
  setUpGrid({
    pick, info: details, thumbnail: backend.thumbnail,
    like: (hit) => refine(hit, "like"), unlike: (hit) => refine(hit, "unlike"),
  });
  for (const id of ["choose", "photograph"]) $(id).disabled = false;
  $("choose").onclick = () => $("file").click();
  $("photograph").onclick = async () => useFile(await photograph($("capture")));
  for (const input of [$("file"), $("capture")]) {
    input.onchange = () => {
      const [file] = input.files;
      input.value = ""; // so that the same file can be chosen again
      return useFile(file);
    };
  }
  $("adjust").onclick = adjust;
  $("add").onclick = add;
  $("over").onclick = () => { note(""); return go(NOTHING); };
  $("more").onclick = () => { wanted = Math.min(wanted + STEP, info.limits.hits); return search(); };
  $("nothing-clear").onclick = clearFilters;
  addEventListener("popstate", (event) => arrive(trail[event.state?.step ?? 0] ?? NOTHING));
  addEventListener("paste", (event) => useFile(event.clipboardData.files[0]));
  addEventListener("dragover", (event) => { event.preventDefault(); $("drop").classList.add("over"); });
  addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) $("drop").classList.remove("over"); // it left the window
  });
  addEventListener("drop", (event) => {
    event.preventDefault();
    $("drop").classList.remove("over");
    return useFile(event.dataTransfer.files[0]);
  });
}

async function start() {
  await busy(async () => {
    backend ??= await openBackend((text) => { $("about").textContent = text; });
    await refresh();
    $("privacy").textContent = backend.privacy;
    $("filter-box").open = matchMedia("(min-width: 60rem)").matches;
    drawGuide(info.crop);
    listen();
    history.replaceState({ step: 0 }, "");
    await greet();
  }, () => location.reload());
}

$("again").onclick = () => retry();
start();
