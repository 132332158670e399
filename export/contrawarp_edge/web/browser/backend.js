// Embedding and searching on the visitor's own machine: nothing is sent anywhere.

import { fingerprint, readMetadata } from "./onnx_file.js";
import { ranked } from "./ranking.js";
import { combined, fromFloat16, nearest } from "./vectors.js";

const HITS = 200;

async function load(path, size, onProgress) {
  let response;
  try {
    response = await fetch(path);
  } catch {
    throw new Error("The connection is lost. Try again once it is back.");
  }
  if (!response.ok) throw new Error(`${path} is missing from this site (${response.status}).`);
  const bytes = new Uint8Array(size);
  let position = 0;
  for (const reader = response.body.getReader(); ;) {
    const { done, value } = await reader.read();
    if (done) break;
    if (position + value.length > size) throw new Error(`${path} is not the file it should be.`);
    bytes.set(value, position);
    position += value.length;
    onProgress(position);
  }
  if (position !== size) throw new Error(`${path} is not the file it should be.`);
  return bytes;
}

async function checkModel(model, gallery) {
  const stated = readMetadata(model).fingerprint;
  const actual = await fingerprint(model) ?? stated;
  if (stated !== gallery.model.fingerprint || actual !== stated) {
    throw new Error("The model is not the one that this gallery was made with. Build the site again.");
  }
}

async function openSession(model, classes) {
  const ort = await import("./runtime/ort.wasm.min.mjs");
  ort.env.wasm.wasmPaths = new URL("./runtime/", import.meta.url).href;
  ort.env.wasm.numThreads = 1; // more need headers that static servers do not send
  const session = await ort.InferenceSession.create(model, { executionProviders: ["wasm"] });
  return async (pixels, height, width) => {
    const images = new ort.Tensor("uint8", pixels, [1, height, width, 3]);
    const { embedding, scores } = await session.run({ images });
    return {
      embedding: Float32Array.from(embedding.data),
      scores: Object.fromEntries(classes.map((name, index) => [name, scores.data[index]])),
    };
  };
}

function rgb(canvas) {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  const pixels = new Uint8Array((data.length / 4) * 3);
  for (let from = 0, to = 0; from < data.length; from += 4) {
    pixels[to++] = data[from];
    pixels[to++] = data[from + 1];
    pixels[to++] = data[from + 2];
  }
  return pixels;
}

/** Loads gallery, model and runtime; report is told in words how far that is. */
export async function openBackend(report) {
  const response = await fetch("gallery.json", { cache: "no-cache" }).catch(() => null);
  if (!response?.ok) throw new Error("gallery.json is missing, or the connection is lost.");
  const gallery = await response.json();
  const { vectors, model } = gallery.files;
  const total = vectors.bytes + model.bytes;
  const show = (bytes) => report(
    `Loading gallery and model … ${Math.round((100 * bytes) / total)} % of ${(total / 2 ** 20).toFixed(1)} MB`,
  );
  const buffer = (await load(vectors.name, vectors.bytes, show)).buffer;
  const matrix = gallery.precision === "float16" ? fromFloat16(buffer) : new Float32Array(buffer);
  const bytes = await load(model.name, model.bytes, (done) => show(vectors.bytes + done));
  await checkModel(bytes, gallery);
  report("Starting the model …");
  const run = await openSession(bytes, gallery.model.classes);
  return backend(gallery, matrix, run);
}

function backend(gallery, matrix, run) {
  const { images } = gallery;
  const { dim, crop, classes } = gallery.model;
  const rowOf = new Map(images.map(({ id }, row) => [id, row]));
  const vector = ({ id, embedding }) => (
    id === undefined ? embedding : matrix.subarray(rowOf.get(id) * dim, (rowOf.get(id) + 1) * dim)
  );
  const facts = ({ expression, metadata }) => ({ expression, ...metadata });
  const fitting = (where) => {
    const wanted = Object.entries(where);
    return [...images.keys()].filter((row) => (
      wanted.every(([name, value]) => facts(images[row])[name] === value)
    ));
  };
  const known = (row) => ({ ...images[row], path: images[row].name });
  const picture = async (id) => {
    const { thumbnail } = images[rowOf.get(id)];
    if (!thumbnail) throw new Error("There is no picture of this image.");
    return thumbnail;
  };
  return {
    privacy: "Your picture stays on this device: it is embedded and searched with right here.",

    info: async () => ({
      gallery: gallery.name, images: images.length, dim, crop, classes, fields: gallery.fields,
      writable: false, limits: { hits: HITS },
    }),

    embed: ({ canvas }) => run(rgb(canvas), canvas.height, canvas.width),

    async search({ like, unlike, k, where, minScore, sort, bestOf }) {
      const query = combined(like.map(vector), unlike.map(vector));
      const named = new Set([...like, ...unlike].map(({ id }) => id));
      const rows = fitting(where).filter((row) => !named.has(images[row].id));
      const hits = nearest(matrix, query, rows, k)
        .filter(({ score }) => score >= (minScore ?? -Infinity))
        .map(({ row, score }) => ({ ...known(row), score }));
      return { hits: ranked(hits, sort, bestOf), images: images.length };
    },

    list: async ({ where, sort, bestOf, limit }) => (
      ranked(fitting(where).map(known), sort, bestOf).slice(0, limit)
    ),

    thumbnail: picture,
    picture,
  };
}
