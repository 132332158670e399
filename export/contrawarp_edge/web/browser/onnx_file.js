// Reads what an exported model says about itself, without an ONNX library: a model file
// is a sequence of protobuf fields, of which 7 is the graph and 14 a metadata entry.

const GRAPH = 7;
const METADATA = 14;
const COMPUTED = [GRAPH, 8, 25]; // with versions of operators and functions
const PREFIX = "contrawarp.";

/** Yields {field, start, end} for each length-delimited field of a message. */
function* fields(bytes) {
  let position = 0;
  const varint = () => {
    let value = 0;
    for (let factor = 1; factor < 2 ** 49; factor *= 128) {
      const byte = bytes[position++];
      if (byte === undefined) break;
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
    throw new Error("The model is no whole ONNX file.");
  };
  while (position < bytes.length) {
    const key = varint();
    const kind = key & 7;
    if (kind === 0) varint();
    else if (kind === 1) position += 8;
    else if (kind === 5) position += 4;
    else if (kind === 2) {
      const size = varint();
      yield { field: Math.floor(key / 8), start: position, end: position + size };
      position += size;
    } else break;
  }
  if (position !== bytes.length) throw new Error("The model is no whole ONNX file.");
}

/** The entries whose names begin with "contrawarp.", by the rest of their names. */
export function readMetadata(model) {
  const text = new TextDecoder();
  const metadata = {};
  for (const { field, start, end } of fields(model)) {
    if (field !== METADATA) continue;
    const entry = model.subarray(start, end);
    const [key, value] = [...fields(entry)].map((part) => text.decode(entry.subarray(part.start, part.end)));
    if (key.startsWith(PREFIX)) metadata[key.slice(PREFIX.length)] = value;
  }
  return metadata;
}

/** The fingerprint that a model really has, or null where the browser offers no hashes. */
export async function fingerprint(model) {
  const parts = [...fields(model)].filter(({ field }) => COMPUTED.includes(field));
  const graphs = parts.filter(({ field }) => field === GRAPH);
  if (graphs.length !== 1) throw new Error("The model is no whole ONNX file.");
  if (!globalThis.crypto?.subtle) return null; // a page from another machine over HTTP
  const metadata = readMetadata(model);
  if (metadata.format_version === "1") return sha256(model.subarray(graphs[0].start, graphs[0].end));
  const utf8 = new TextEncoder();
  const lines = [];
  for (const { field, start, end } of parts) lines.push(`${field} ${await sha256(model.subarray(start, end))}`);
  for (const key of Object.keys(metadata).sort()) {
    if (key !== "fingerprint") lines.push(`${key} ${await sha256(utf8.encode(metadata[key]))}`);
  }
  return sha256(utf8.encode(lines.join("\n")));
}

async function sha256(bytes) {
  const digest = await crypto.subtle.digest("SHA-256", bytes);
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
