// What is searched for: examples that hits should be like, and others they should not.
// A query is {like: [example], unlike: [example]}; an example has a key, an id or an
// embedding, the url of a picture, a label, and scores of classes. Queries are never changed, only replaced.

import { bars } from "./bars.js";
import { make } from "./dialogs.js";

export const NOTHING = { like: [], unlike: [] };

/** The query without an example. */
export function without(query, { key }) {
  const others = (list) => list.filter((example) => example.key !== key);
  return { like: others(query.like), unlike: others(query.unlike) };
}

/** The query with an example on one side, "like" or "unlike", and not on the other. */
export function withExample(query, example, side) {
  const rest = without(query, example);
  return { ...rest, [side]: [...rest[side], example] };
}

/** Shows the examples, each with a button to remove it. */
export function showExamples(query, onRemove) {
  document.getElementById("query").hidden = !query.like.length && !query.unlike.length;
  document.getElementById("unlike-group").hidden = !query.unlike.length;
  for (const side of ["like", "unlike"]) {
    document.getElementById(side).replaceChildren(...query[side].map((example) => {
      const button = make("button", { type: "button", textContent: "×", title: "Remove" });
      button.setAttribute("aria-label", `Remove ${example.label}`);
      button.addEventListener("click", () => onRemove(example));
      return make("li", {}, make("img", { src: example.url, alt: example.label }), button, bars(example.scores));
    }));
  }
}
