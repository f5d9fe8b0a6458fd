// Millrace's page: what AI-assisted development does and costs, over the read API. It writes and stores nothing.

import { deliveryPanels } from "./delivery.js";
import { Filters } from "./filters.js";
import { Health } from "./health.js";
import { spendPanels } from "./spend.js";
import { tiles } from "./tiles.js";
import { trustPanels } from "./trust.js";

const stackOf = (search) => (new URLSearchParams(search).get("stack") === "model" ? "model" : "provider");

/** The key by which the cost of a day is stacked; kept in the page's address, like the filters. */
const stack = {
  value: stackOf(location.search),
  set(value) {
    this.value = value;
    const query = new URLSearchParams(location.search);
    if (value === "model") query.set("stack", value);
    else query.delete("stack");
    history.replaceState(null, "", query.size ? `?${query}` : location.pathname);
  },
};
addEventListener("popstate", () => {
  stack.value = stackOf(location.search);
  document.querySelector(`input[name=stack][value=${stack.value}]`).checked = true;
});

let refreshing = new AbortController();
let latest = null; // a promise of the newest status, which the trust panels draw
let builtFrom = null; // the state of the marts when the panels were drawn

const filters = new Filters(() => refresh());
const values = () => filters.values;
const learn = (key, names) => filters.learn(key, names);
const glance = tiles(values);
const spend = spendPanels(values, learn, stack);
const delivery = deliveryPanels(values, learn);
const health = new Health(hear);
const trust = trustPanels({ load: () => latest, again: () => health.ask() }, [...spend, ...delivery]);

/** Load everything again. A quiet refresh keeps the old content until the new answer arrives. */
async function refresh(isQuiet = false) {
  refreshing.abort();
  refreshing = new AbortController();
  const { signal } = refreshing;
  await Promise.all([...glance, ...spend, ...delivery].map((panel) => panel.refresh(signal, isQuiet)));
  if (!signal.aborted) trust.at(-1).redraw(); // it shows the sources of the other panels
}

function hear(status, problem) {
  latest = status ? Promise.resolve(status) : Promise.reject(problem);
  const { signal } = new AbortController();
  for (const panel of trust) panel.refresh(signal, true);
  if (!status) return;
  const made = JSON.stringify([status.as_of, status.built_through, (status.marts ?? []).map((mart) => mart.watermark)]);
  if (builtFrom && made !== builtFrom) refresh(true);
  builtFrom = made;
}

for (const [id, panels] of Object.entries({ tiles: glance, spend, delivery, trust }))
  document.getElementById(id).append(...panels.map((panel) => panel.element));
health.ask();
refresh();
