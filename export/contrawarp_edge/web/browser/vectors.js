// The arithmetic of searching: the same as contrawarp_edge does it.

const UNLIKE_WEIGHT = 0.5;

/** Little-endian half-precision numbers as a Float32Array. */
export function fromFloat16(buffer) {
  const halves = new Uint16Array(buffer);
  const table = new Float32Array(1 << 16); // far fewer different numbers than numbers
  for (let bits = 0; bits < table.length; bits++) {
    const [sign, exponent, fraction] = [bits >> 15 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
    table[bits] = sign * (exponent === 0 ? fraction * 2 ** -24
      : exponent === 31 ? (fraction ? NaN : Infinity)
      : (1 + fraction / 1024) * 2 ** (exponent - 15));
  }
  return Float32Array.from(halves, (bits) => table[bits]);
}

function unit(vector) {
  const length = Math.hypot(...vector);
  if (!(length > 1e-6)) throw new Error("These examples cancel each other out. Leave some away.");
  return Float64Array.from(vector, (value) => value / length);
}

function meanDirection(vectors) {
  const sum = new Float64Array(vectors[0].length);
  for (const vector of vectors) unit(vector).forEach((value, i) => { sum[i] += value / vectors.length; });
  return unit(sum);
}

/** One query of unit length: the mean direction of the ones less half that of the others. */
export function combined(like, unlike) {
  const query = meanDirection(like);
  if (!unlike.length) return query;
  const other = meanDirection(unlike);
  return unit(query.map((value, i) => value - UNLIKE_WEIGHT * other[i]));
}

/** The k best of some rows of a matrix: [{row, score}], equal scores by ascending row. */
export function nearest(matrix, query, rows, k) {
  const dim = query.length;
  const scored = rows.map((row) => {
    let score = 0;
    for (let i = 0, at = row * dim; i < dim; i++) score += matrix[at + i] * query[i];
    return { row, score };
  });
  return scored.sort((a, b) => b.score - a.score || a.row - b.row).slice(0, k);
}
