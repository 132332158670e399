// The dialog in which a face is fitted to where the model expects it.

import { ask } from "./dialogs.js";

const dialog = document.getElementById("cropper");
const stage = document.getElementById("stage");
const canvas = document.getElementById("crop-canvas");
const slider = document.getElementById("zoom");
const MOST_ZOOM = 12;

let picture = null;
let view = null; // centre of the square in pixels of the picture, and zoom from 0 to 1

const smallest = () => Math.min(picture.width, picture.height);
const side = () => smallest() / MOST_ZOOM ** view.zoom;

function box() {
  const length = side();
  return { x: view.x - length / 2, y: view.y - length / 2, width: length, height: length };
}

function change({ dx = 0, dy = 0, zoom = view.zoom }) {
  view.zoom = Math.min(1, Math.max(0, zoom));
  const half = side() / 2;
  view.x = Math.min(picture.width - half, Math.max(half, view.x + dx));
  view.y = Math.min(picture.height - half, Math.max(half, view.y + dy));
  slider.value = view.zoom;
  const { x, y, width, height } = box();
  canvas.getContext("2d").drawImage(
    picture.bitmap, x, y, width, height, 0, 0, canvas.width, canvas.height,
  );
}

/** Draws eyes, mouth and the outline of the face where the model expects them. */
export function drawGuide(crop) {
  const shapes = [];
  const shape = (name, attributes) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    shapes.push(element);
  };
  if (crop.face_box) {
    const [left, top, right, bottom] = crop.face_box;
    shape("ellipse", {
      cx: (left + right) / 2, cy: (top + bottom) / 2,
      rx: (right - left) / 2, ry: (bottom - top) / 2,
    });
  }
  const marks = crop.landmarks ?? {};
  for (const eye of [marks.left_eye, marks.right_eye]) {
    if (eye) shape("ellipse", { cx: eye[0], cy: eye[1], rx: 0.08, ry: 0.045 });
  }
  const [left, right] = [marks.left_mouth_corner, marks.right_mouth_corner];
  if (left && right) shape("line", { x1: left[0], y1: left[1], x2: right[0], y2: right[1] });
  document.getElementById("guide").replaceChildren(...shapes);
}

/** Answers with a box in pixels of the picture, null for all of it, or "cancel". */
export async function askCrop(given) {
  picture = given;
  view = { x: picture.width / 2, y: picture.height / 2, zoom: 0 };
  const answer = ask(dialog);
  change({});
  stage.focus();
  switch (await answer) {
    case "crop": return box();
    case "whole": return null;
    default: return "cancel";
  }
}

const pointers = new Map();
const perPixel = () => side() / stage.clientWidth;

function spread() {
  const [a, b] = [...pointers.values()];
  return Math.hypot(a.x - b.x, a.y - b.y);
}

stage.addEventListener("pointerdown", (event) => {
  stage.setPointerCapture(event.pointerId);
  pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
});
stage.addEventListener("pointermove", (event) => {
  const last = pointers.get(event.pointerId);
  if (!last) return;
  const before = pointers.size === 2 ? spread() : 0;
  pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
  if (pointers.size === 2) {
    change({ zoom: view.zoom + Math.log(spread() / (before || 1)) / Math.log(MOST_ZOOM) });
  } else {
    change({
      dx: (last.x - event.clientX) * perPixel(), dy: (last.y - event.clientY) * perPixel(),
    });
  }
});
for (const name of ["pointerup", "pointercancel"]) {
  stage.addEventListener(name, (event) => pointers.delete(event.pointerId));
}
stage.addEventListener("wheel", (event) => {
  event.preventDefault();
  change({ zoom: view.zoom - event.deltaY / 1500 });
}, { passive: false });
slider.addEventListener("input", () => change({ zoom: Number(slider.value) }));

const MOVES = {
  ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1],
};
stage.addEventListener("keydown", (event) => {
  const move = MOVES[event.key];
  if (move) change({ dx: move[0] * side() * 0.03, dy: move[1] * side() * 0.03 });
  else if (event.key === "+") change({ zoom: view.zoom + 0.03 });
  else if (event.key === "-") change({ zoom: view.zoom - 0.03 });
  else if (event.key === "Enter") dialog.close("crop");
  else return;
  event.preventDefault();
});
