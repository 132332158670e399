// Searching through the REST service that this page came from.

import { askToken } from "./dialogs.js";
import { toBlob } from "./picture.js";

const STORED = "contrawarp-token";

let token = sessionStorage.getItem(STORED) ?? "";
let asking = null;
let limits = {};
const thumbnails = new Map();

// A token in the address is kept for this tab and taken out of the address.
const given = new URLSearchParams(location.hash.slice(1)).get("token");
if (given) {
  useToken(given);
  history.replaceState(null, "", location.pathname);
}

function useToken(text) {
  token = text;
  sessionStorage.setItem(STORED, text);
}

async function call(path, options = {}) {
  let response;
  try {
    const headers = { ...options.headers };
    if (token) headers.authorization = `Bearer ${token}`;
    response = await fetch(`api/${path}`, { ...options, headers });
  } catch {
    throw new Error("The connection is lost. Is the service still running?");
  }
  if (response.status === 401) {
    asking ??= askToken(Boolean(token)).then(useToken).finally(() => { asking = null; });
    await asking;
    return call(path, options);
  }
  if (!response.ok) {
    const { error } = await response.json().catch(() => ({}));
    throw new Error(error ? `${error[0].toUpperCase()}${error.slice(1)}.` : `The service failed (${response.status}).`);
  }
  return response;
}

async function asUpload({ canvas, file }) {
  const fits = file && file.size <= limits.upload_bytes && file.size > 0;
  const form = new FormData();
  form.append("image", fits ? file : await toBlob(canvas, "image/jpeg", 0.95), "face");
  return form;
}

async function picture(path) {
  return URL.createObjectURL(await (await call(path)).blob());
}

async function post(path, request) {
  const headers = { "content-type": "application/json" };
  return (await call(path, { method: "POST", headers, body: JSON.stringify(request) })).json();
}

const example = ({ id, embedding }) => (id === undefined ? { embedding } : { id });

const backend = {
  privacy: "Your picture is sent to this service and searched with. It is not stored.",

  async info() {
    const stats = await (await call("stats")).json();
    limits = stats.limits;
    const { dim, crop, classes } = stats.model;
    return { ...stats, dim, crop, classes };
  },

  async embed(image) {
    const response = await call("embed", { method: "POST", body: await asUpload(image) });
    const { embeddings, scores } = await response.json();
    return { embedding: embeddings[0], scores: scores[0] };
  },

  search: ({ like, unlike, k, where, minScore, sort, bestOf }) => post("search", {
    like: like.map(example), unlike: unlike.map(example), k, where, min_score: minScore, sort, best_of: bestOf,
  }),

  list: async ({ where, sort, bestOf, limit }) => (
    (await post("images/list", { where, sort, best_of: bestOf, limit })).images
  ),

  thumbnail(id) {
    if (!thumbnails.has(id)) {
      const url = picture(`images/${id}/thumbnail`);
      url.catch(() => thumbnails.delete(id));
      thumbnails.set(id, url);
    }
    return thumbnails.get(id);
  },

  picture: (id) => picture(`images/${id}/picture`),

  async add(image, metadata) {
    const form = await asUpload(image);
    form.append("metadata", JSON.stringify(metadata));
    return (await call("images", { method: "POST", body: form })).json();
  },

  async remove(id) {
    await call(`images/${id}`, { method: "DELETE" });
    thumbnails.delete(id);
  },
};

export const openBackend = async () => backend;
