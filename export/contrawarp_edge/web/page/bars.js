// Bars for the probabilities of classes.

import { make } from "./dialogs.js";

/** Bars of {name: probability}: one class, then the most probable; nothing without classes. */
export function bars(scores, most = Infinity, first = null) {
  const rank = ([name, share]) => (name === first ? Infinity : share);
  const best = Object.entries(scores ?? {}).sort((one, other) => rank(other) - rank(one)).slice(0, most);
  if (!best.length) return "";
  return make("dl", { className: "bars" }, ...best.flatMap(([name, share]) => {
    const bar = make("span");
    bar.style.setProperty("--share", share);
    return [
      make("dt", { textContent: name, title: name }),
      make("dd", { className: "meter" }, bar),
      make("dd", { textContent: `${Math.round(100 * share)} %` }),
    ];
  }));
}
