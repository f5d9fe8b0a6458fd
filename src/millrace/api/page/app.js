// Millrace's page: what AI-assisted development does and costs, over the read API. It writes and stores nothing.

import { askComplete, incompleteNote } from "./complete.js";
import { has, remember } from "./connected.js";
import { deliveryPanels } from "./delivery.js";
import { Filters } from "./filters.js";
import { sentence } from "./format.js";
import { Health, showCoverage, showPeople } from "./health.js";
import { rowsPanel } from "./rows.js";
import { perPrPanel, spendPanel } from "./spend.js";
import { Tiles } from "./tiles.js";
import { healthLine, trustPanels } from "./trust.js";
import { Verdict } from "./verdict.js";
import { intoPanel, wherePanel } from "./where.js";

/** The switches of the page that are kept in its address, with their values; the first one is the default. */
const PARTS = { stack: ["model", "provider"], by: ["person", "repo", "model", "session"], list: ["sessions", "pull-requests"] };

let refreshing = new AbortController();
let latest = null; // a promise of the newest status, which the trust panels draw
let builtFrom = null; // the state of the marts when the panels were drawn

const filters = new Filters(() => refresh());
const values = () => filters.values;

/** What the panels read of the page, and how they change it. */
const page = {
  filters: values,
  toggle: (key, name) => filters.toggle(key, name),
  only: (key, name) => filters.only(key, name),
  part(key) {
    const given = new URLSearchParams(location.search).get(key);
    return PARTS[key].includes(given) ? given : PARTS[key][0];
  },
  setPart(key, value) {
    const query = new URLSearchParams(location.search);
    if (value === PARTS[key][0]) query.delete(key);
    else query.set(key, value);
    history.replaceState(null, "", query.size ? `?${query}` : location.pathname);
  },
  list(name, key, value) {
    this.setPart("list", name);
    document.querySelector(`input[name=list][value=${name}]`).checked = true;
    if (values()[key].includes(value)) rows.refresh(rows.signal);
    else filters.only(key, value);
    rows.element.scrollIntoView({ block: "start" });
    rows.element.querySelector("input:checked").focus({ preventScroll: true });
  },
};
addEventListener("popstate", () => {
  for (const key of Object.keys(PARTS)) document.querySelector(`input[name=${key}][value=${page.part(key)}]`).checked = true;
});

const tiles = new Tiles(values, ({ coverage, people }) => {
  showCoverage(coverage);
  showPeople(people);
  if (people === "off") withoutPeople();
});
const verdict = new Verdict(values);
const spend = spendPanel(page);
const where = wherePanel(page);
const into = intoPanel(page);
const perPr = perPrPanel(page);
const rows = rowsPanel(page);
const delivery = deliveryPanels(values, () => {});
for (const panel of delivery) Object.assign(panel.options, { needs: "pull_requests", isWeekly: true });
for (const panel of [into, ...delivery, perPr]) panel.options.beside = () => incompleteNote(values().repo);
const data = [spend, where, into, ...delivery, perPr, rows];
const drawn = [tiles, verdict, ...data];
const health = new Health(received);
const trust = trustPanels({ load: () => latest, again: () => health.ask() }, data);

/** Load everything again. A quiet refresh keeps the old content until the new answer arrives. */
async function refresh(isQuiet = false) {
  refreshing.abort();
  refreshing = new AbortController();
  const { signal } = refreshing;
  if (filters.problem) return drawn.forEach((one) => one.refuse());
  filters.refuse(null);
  const marking = askComplete(signal);
  await Promise.all(drawn.map((one) => one.refresh(signal, isQuiet)));
  if (await marking) for (const one of drawn) one.redraw();
  if (!signal.aborted) trust.at(-1).redraw(); // it shows the sources of the other panels
}

/** Without people: where their names are off, no list of them is shown. */
function withoutPeople() {
  filters.withoutPeople();
  const radio = document.querySelector("input[name=by][value=person]");
  if (radio.disabled) return;
  radio.disabled = true;
  radio.closest("label").hidden = true;
  if (page.part("by") !== "person") return;
  document.querySelector("input[name=by][value=repo]").click();
}

addEventListener("refused", ({ detail: problem }) => filters.refuse(`${sentence(problem.detail ?? problem.title)} Remove that filter, or choose another.`));

// A link to the data health unfolds it.
addEventListener("click", ({ target }) => {
  if (target.closest?.("a[href='#health'], a[href='#sources']")) document.getElementById("health").open = true;
});

function received(status, problem) {
  latest = status ? Promise.resolve(status) : Promise.reject(problem);
  const { signal } = new AbortController();
  for (const panel of trust) panel.refresh(signal, true);
  document.getElementById("health-line").textContent = healthLine(status);
  if (!status) return;
  const isFirst = remember(status);
  document.body.classList.toggle("only-usage", !has.pull_requests());
  const made = JSON.stringify([status.as_of, status.built_through, (status.marts ?? []).map((mart) => mart.watermark)]);
  if (builtFrom && made !== builtFrom) refresh(true);
  else if (isFirst) for (const one of drawn) one.redraw(); // what is empty says what to connect
  builtFrom = made;
}

for (const [id, panels] of Object.entries({ first: [spend, where, into], delivery, more: [perPr, rows], trust }))
  document.getElementById(id).append(...panels.map((panel) => panel.element));
health.ask();
refresh();
