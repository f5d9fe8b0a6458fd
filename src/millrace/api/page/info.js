// The ⓘ beside a title: the definition of what is shown, in the words of docs/metrics.md.

import { DEFINITIONS } from "./definitions.js";
import { h, popover } from "./dom.js";

/** The button and its box for a key of the definitions; `title` is what it explains. */
export function info(key, title) {
  const { at, says } = DEFINITIONS[key];
  const button = h("button", { type: "button", class: "info" }, h("span", { "aria-hidden": "true" }, "i"), h("span", { class: "hidden" }, `What is: ${title}?`));
  return popover(button, { class: "says", role: "note", "aria-label": title },
    says.map((said) => h("p", {}, said)), h("p", { class: "from" }, `docs/metrics.md, section “${at}”`));
}
