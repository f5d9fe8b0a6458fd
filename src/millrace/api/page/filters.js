// The filters of the page. They are kept in its address, so that a view can be shared and revisited.

import { h } from "./dom.js";

const DAYS = ["from", "to"];
const NAMES = ["repo", "developer", "provider", "model"];
const LABELS = { from: "From", to: "To", repo: "Repository", developer: "Developer", provider: "Provider", model: "Model" };
const MOST_KNOWN = 500;

/** The filters in a query: a list of values for each. */
export function parse(query) {
  const given = new URLSearchParams(query);
  const trimmed = (key) => [...new Set(given.getAll(key).map((value) => value.trim()).filter(Boolean))];
  const filters = Object.fromEntries([...DAYS, ...NAMES].map((key) => [key, trimmed(key)]));
  for (const key of DAYS) filters[key] = filters[key].slice(-1);
  return filters;
}

/** The query of filters: the inverse of `parse`. */
export function unparse(filters) {
  const query = new URLSearchParams();
  for (const key of [...DAYS, ...NAMES]) for (const value of filters[key]) query.append(key, value);
  return query.toString();
}

/** Keeps form, chips and address in sync, and calls `changed` on every change. */
export class Filters {
  #known = Object.fromEntries(NAMES.map((key) => [key, new Set()]));

  constructor(changed) {
    this.form = document.getElementById("filters");
    this.changed = changed;
    this.values = parse(location.search);
    this.form.addEventListener("change", (event) => this.#enter(event.target));
    this.form.addEventListener("submit", (event) => this.#submit(event));
    this.form.addEventListener("reset", (event) => this.#reset(event));
    addEventListener("popstate", () => {
      this.values = parse(location.search);
      this.#show();
      this.changed();
    });
    this.#show();
  }

  /** Add names found in answers to the suggestions. */
  learn(key, names) {
    const known = this.#known[key];
    const fresh = [...new Set(names)].filter((value) => value && !known.has(value)).slice(0, MOST_KNOWN - known.size);
    if (fresh.length === 0) return;
    for (const value of fresh) known.add(value);
    const options = [...known].sort().map((value) => h("option", { value }));
    document.getElementById(`known-${key}`).replaceChildren(...options);
  }

  #enter(input) {
    const value = input.value.trim();
    if (DAYS.includes(input.name)) {
      if (input.validity.badInput || (value && value < "1970-01-01")) return; // an incomplete year
      this.#set({ ...this.values, [input.name]: value ? [value] : [] });
    } else if (value) {
      input.value = "";
      this.#set({ ...this.values, [input.name]: [...new Set([...this.values[input.name], value])] });
    }
  }

  #submit(event) {
    event.preventDefault();
    for (const name of NAMES) this.#enter(this.form.elements[name]);
  }

  #reset(event) {
    event.preventDefault();
    for (const name of NAMES) this.form.elements[name].value = "";
    this.#set(parse(""));
  }

  #remove(key, value) {
    this.#set({ ...this.values, [key]: this.values[key].filter((other) => other !== value) });
    const rest = document.querySelector("#chips button") ?? document.getElementById(`filter-${key}`);
    rest.focus(); // the button that had the focus is gone
  }

  #set(values) {
    if (unparse(values) === unparse(this.values)) return;
    this.values = values;
    const query = new URLSearchParams(location.search); // other parameters of the address stay
    for (const key of [...DAYS, ...NAMES]) query.delete(key);
    for (const [key, value] of new URLSearchParams(unparse(values))) query.append(key, value);
    history.pushState(null, "", query.size ? `?${query}` : location.pathname);
    this.#show();
    this.changed();
  }

  #show() {
    for (const key of DAYS) {
      const [value = ""] = this.values[key];
      if (this.form.elements[key].value !== value) this.form.elements[key].value = value;
    }
    const chip = (key, value) =>
      h("li", {}, h("button", { type: "button", class: "chip", "aria-label": `${LABELS[key]} ${value}: remove`, onclick: () => this.#remove(key, value) },
        h("span", { class: "chip-key" }, `${LABELS[key]} `), value, h("span", { class: "chip-x" }, "×")));
    const chips = [...DAYS, ...NAMES].flatMap((key) => this.values[key].map((value) => chip(key, value)));
    document.getElementById("chips").replaceChildren(...chips);
  }
}
