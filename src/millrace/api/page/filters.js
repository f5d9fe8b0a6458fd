// The filters of the page: one range for all panels, and names. They are kept in its address, so that a view can be
// shared and revisited.

import { get } from "./answers.js";
import { stateOf } from "./complete.js";
import { h } from "./dom.js";
import { Picker } from "./picker.js";
import { DEFAULT, isPreset, PRESETS, problemOf } from "./period.js";

const RANGE = ["period", "from", "to"];
const NAMES = ["person", "repo", "agent", "model", "provider", "developer", "project"];
const OF_USAGE = ["agent", "model", "provider", "project"]; // delivery has none of these
const LABELS = { person: "Person", repo: "Repository", agent: "Agent", model: "Model", provider: "Provider", developer: "Developer", project: "Project" };
const LISTS = {
  person: ["/api/people", "person"], repo: ["/api/repositories", "repo_name"], agent: ["/api/sessions", "agent"],
  model: ["/api/models", "model"], provider: ["/api/models", "provider"],
};
const known = (rows, column) => [...new Set(rows.map((row) => row[column]).filter(Boolean))].sort();

/** The filters in a query: a list of values for each; one range. */
export function parse(query) {
  const given = new URLSearchParams(query);
  const trimmed = (key) => [...new Set(given.getAll(key).map((value) => value.trim()).filter(Boolean))];
  const filters = Object.fromEntries([...RANGE, ...NAMES].map((key) => [key, trimmed(key)]));
  for (const key of RANGE) filters[key] = filters[key].slice(-1);
  if (filters.from.length || filters.to.length) filters.period = [];
  else if (filters.period.length === 0) filters.period = [DEFAULT];
  return filters;
}

/** The query of filters: the inverse of `parse`. */
export function unparse(filters) {
  const query = new URLSearchParams();
  for (const key of [...RANGE, ...NAMES])
    for (const value of filters[key]) if (key !== "period" || value !== DEFAULT) query.append(key, value);
  return query.toString();
}

/** Keeps form, chips and address in sync, and calls `changed` on every change. */
export class Filters {
  constructor(changed) {
    this.form = document.getElementById("filters");
    this.chips = document.getElementById("chips");
    this.refused = document.getElementById("refused");
    this.changed = changed;
    this.values = parse(location.search);
    const { period } = this.form.elements;
    period.append(...PRESETS.map(([value, text]) => h("option", { value }, text)), h("option", { value: "custom" }, "Choose days …"));
    this.pickers = Object.keys(LISTS).map((key) => new Picker({
      key, label: LABELS[key], load: () => this.#names(key), chosen: () => this.values[key], toggle: (name) => this.toggle(key, name),
      stateOf: key === "repo" ? stateOf : () => null }));
    document.getElementById("pickers").append(...this.pickers.map((picker) => picker.element));
    period.addEventListener("change", () => this.#period(period.value));
    this.form.addEventListener("submit", (event) => this.#submit(event));
    this.form.addEventListener("reset", (event) => this.#reset(event));
    addEventListener("popstate", () => {
      this.values = parse(location.search);
      this.#show();
      this.changed();
    });
    this.#show();
  }

  /** Why the range of the address cannot be one; null when it can. */
  get problem() {
    return isPreset(this.values) ? null : problemOf(this.values.from[0] ?? "", this.values.to[0] ?? "");
  }

  /** Show the one message about the filters; null takes it away. */
  refuse(message) {
    if (this.refused.textContent !== (message ?? "")) this.refused.textContent = message ?? "";
    this.refused.hidden = message === null;
    for (const key of ["from", "to"]) this.form.elements[key].toggleAttribute("aria-invalid", message !== null && !isPreset(this.values));
  }

  /** Add a name, or take it away. */
  toggle(key, value) {
    const values = this.values[key].includes(value) ? this.values[key].filter((other) => other !== value) : [...this.values[key], value];
    this.#set({ ...this.values, [key]: values });
  }

  /** Only this name. */
  only(key, value) {
    this.#set({ ...this.values, [key]: [value] });
  }

  /** Without a picker for people, where their names are off. */
  withoutPeople() {
    this.pickers.find((picker) => picker.key === "person").element.hidden = true;
  }

  async #names(key) {
    const [route, column] = LISTS[key];
    const { rows } = await get(`${route}?period=all&limit=1000`);
    return known(rows, column);
  }

  #period(value) {
    if (value !== "custom") return this.#set({ ...this.values, period: [value], from: [], to: [] });
    this.#days(true);
    this.form.elements.from.focus();
  }

  #days(isShown) {
    document.getElementById("days").hidden = !isShown;
  }

  #submit(event) {
    event.preventDefault();
    const { from, to } = this.form.elements;
    if (from.validity.badInput || to.validity.badInput) return this.refuse("A day is not complete: enter year, month and day.");
    if (!from.value && !to.value) return this.#set({ ...this.values, period: [DEFAULT], from: [], to: [] });
    const problem = problemOf(from.value, to.value);
    if (problem) {
      this.refuse(problem);
      return from.focus();
    }
    this.#set({ ...this.values, period: [], from: [from.value].filter(Boolean), to: [to.value].filter(Boolean) });
  }

  #reset(event) {
    event.preventDefault();
    this.#set(parse(""));
  }

  #remove(key, value) {
    this.#set({ ...this.values, [key]: this.values[key].filter((other) => other !== value) });
    const rest = this.chips.querySelector("button") ?? document.getElementById(`pick-${key}`) ?? this.form.elements.period;
    rest.focus(); // the button that had the focus is gone
  }

  #set(values) {
    if (unparse(values) === unparse(this.values)) return this.#show();
    this.values = values;
    const query = new URLSearchParams(location.search); // other parameters of the address stay
    for (const key of [...RANGE, ...NAMES]) query.delete(key);
    for (const [key, value] of new URLSearchParams(unparse(values))) query.append(key, value);
    history.pushState(null, "", query.size ? `?${query}` : location.pathname);
    this.#show();
    this.changed();
  }

  #show() {
    const { period, from, to } = this.form.elements;
    const isKnown = isPreset(this.values);
    period.value = isKnown ? this.values.period[0] : "custom";
    this.#days(!isKnown);
    from.value = this.values.from[0] ?? "";
    to.value = this.values.to[0] ?? "";
    this.refuse(this.problem);
    for (const picker of this.pickers) picker.show();
    const chip = (key, value) =>
      h("li", {}, h("button", { type: "button", class: "chip", "aria-label": `${LABELS[key]} ${value}: remove`, onclick: () => this.#remove(key, value) },
        h("span", { class: "chip-key" }, `${LABELS[key]} `), value, h("span", { class: "chip-x", "aria-hidden": "true" }, "×")));
    const chips = NAMES.flatMap((key) => this.values[key].map((value) => chip(key, value)));
    this.chips.replaceChildren(...chips);
    document.getElementById("narrows").hidden = !OF_USAGE.some((key) => this.values[key].length);
    document.getElementById("reset").hidden = unparse(this.values) === "";
  }
}
