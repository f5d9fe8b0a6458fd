// A filter by names: a button that opens the list of real names, to tick several of.

import { half } from "./complete.js";
import { h, popover } from "./dom.js";
import { counted } from "./format.js";

const MOST_SHOWN = 200;

/** `load()` returns the names, `chosen()` those that are ticked, `toggle(name)` changes one of them, `stateOf(name)` what is said beside it, or null. */
export class Picker {
  #names = null;

  constructor({ key, label, load, chosen, toggle, stateOf }) {
    Object.assign(this, { key, label, load, chosen, toggle, stateOf });
    this.value = h("span", { class: "picked" });
    this.search = h("input", { type: "search", "aria-label": `Search: ${label}`, placeholder: "search", spellcheck: "false", autocomplete: "off", oninput: () => this.#list() });
    this.list = h("ul", { class: "names" });
    this.note = h("p", { class: "hint", role: "status" });
    const button = h("button", { type: "button", class: "pick", id: `pick-${key}` }, h("span", { class: "pick-label" }, label), this.value);
    const [, box] = popover(button, { class: "picker", role: "group", "aria-label": label }, this.search, this.list, this.note);
    box.addEventListener("toggle", (event) => event.newState === "open" && this.#opened());
    this.element = h("div", { class: "field" }, button, box);
    this.show();
  }

  /** Show what is chosen; also after a change elsewhere. */
  show() {
    const chosen = this.chosen();
    this.value.textContent = chosen.length === 0 ? "all" : chosen.length === 1 ? chosen[0] : `${chosen[0]} +${chosen.length - 1}`;
    this.value.title = chosen.join(", ");
    for (const box of this.list.querySelectorAll("input")) box.checked = chosen.includes(box.value);
  }

  async #opened() {
    this.search.focus();
    if (this.#names?.length) return this.#list();
    this.note.textContent = "Loading …";
    try {
      this.#names = await this.load();
      this.#list();
    } catch (error) {
      this.note.textContent = [error.detail ?? error.title ?? String(error), error.nextStep].filter(Boolean).join(" ");
    }
  }

  #state(name) {
    const state = this.stateOf(name);
    return state && h("small", {}, half(state));
  }

  #list() {
    const part = this.search.value.trim().toLowerCase();
    const chosen = this.chosen();
    const names = [...new Set([...chosen, ...(this.#names ?? [])])];
    const found = names.filter((name) => name.toLowerCase().includes(part));
    this.list.replaceChildren(...found.slice(0, MOST_SHOWN).map((name) => h("li", {}, h("label", {},
      h("input", { type: "checkbox", value: name, checked: chosen.includes(name), onchange: () => this.toggle(name) }), h("span", {}, name, this.#state(name))))));
    const rest = found.length - MOST_SHOWN;
    this.note.textContent = rest > 0 ? `And ${counted(rest, "more name")}: type a part of one.`
      : found.length ? "" : names.length ? `No name contains “${this.search.value.trim()}”.` : "No names yet.";
  }
}
