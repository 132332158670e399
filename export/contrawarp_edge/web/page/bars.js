// Bars for the probabilities of classes.

import { make } from "./dialogs.js";

/** Bars of {name: probability}, the most probable first; nothing without classes. */
export function bars(scores, most = Infinity) {
  const best = Object.entries(scores ?? {}).sort(([, one], [, other]) => other - one).slice(0, most);
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
