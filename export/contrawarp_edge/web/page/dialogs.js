// Dialogs that answer with the value of the button that closed them.

const $ = (id) => document.getElementById(id);

for (const button of document.querySelectorAll("dialog [data-close]")) {
  button.addEventListener("click", () => button.closest("dialog").close("cancel"));
}

/** Makes an element. */
export function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

/** A label around a control. */
export function labelled(text, control) {
  return make("label", { className: "field" }, make("span", { textContent: text }), control);
}

/** Opens a dialog and waits; Escape and the close button answer "cancel". */
export function ask(dialog) {
  dialog.returnValue = "cancel";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue), { once: true });
  });
}

/** Shows what is known of an image; answers "search", "delete" or "cancel". */
export function showFacts(title, picture, facts, deletable) {
  $("details-title").textContent = title;
  $("details-picture").src = picture;
  $("details-picture").hidden = !picture;
  $("details-facts").replaceChildren(...Object.entries(facts).flatMap(([name, value]) => [
    make("dt", { textContent: name }),
    make("dd", { textContent: typeof value === "object" ? JSON.stringify(value) : String(value) }),
  ]));
  const button = $("delete");
  button.hidden = !deletable;
  button.textContent = "Delete";
  button.onclick = () => {
    if (button.textContent === "Delete") button.textContent = "Really delete?";
    else $("details").close("delete");
  };
  return ask($("details"));
}

/** Asks for metadata by name; answers with an object, or null if cancelled. */
export async function askMetadata(names) {
  const inputs = names.map((name) => make("input", { name, type: "text", autocomplete: "off" }));
  $("adding-fields").replaceChildren(...inputs.map((input) => labelled(input.name, input)));
  if (await ask($("adding")) !== "add") return null;
  return Object.fromEntries(inputs.filter(({ value }) => value).map(({ name, value }) => [name, value]));
}

/** Asks for the service's token; wrong says that one was tried. */
export async function askToken(wrong) {
  $("token-help").textContent = wrong
    ? "That was not the right one. The service printed it when it started."
    : "The service printed it when it started.";
  $("token-value").value = "";
  await ask($("token"));
  return $("token-value").value.trim();
}
