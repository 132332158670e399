// The order of images by what they show, and the best of each of some groups.

/**
 * Images in the order of a class, the most probable first, or as they are if it is null;
 * and of those with the same value of a field in the metadata only the first, unless null.
 */
export function ranked(images, sort, bestOf) {
  const rank = ({ scores }) => (sort === null ? 0 : scores[sort] ?? -1);
  const ordered = [...images].sort((one, other) => rank(other) - rank(one));
  if (bestOf === null) return ordered;
  const best = new Map();
  for (const image of ordered) {
    const value = image.metadata[bestOf];
    if (typeof (value ?? {}) !== "object" && !best.has(value)) best.set(value, image);
  }
  return [...best.values()];
}
