// Whether the numbers can be trusted: what waits, what was built from what, and what is unknown.

import { h, scrolling, table } from "./dom.js";
import * as f from "./format.js";
import { Panel } from "./panel.js";

const ago = (value) => (value === null || value === undefined ? "unknown" : `${f.seconds(value)} ago`);
const known = (value) => (value === null || value === undefined ? "unknown" : f.whole(value));
const flag = (isGood, good, bad) => h("span", { class: `flag ${isGood ? "good" : "bad"}` }, h("span", { "aria-hidden": "true" }, isGood ? "✓ " : "▲ "), isGood ? good : bad);
const facts = (pairs) => h("dl", { class: "facts" }, pairs.map(([term, ...text]) => h("div", {}, h("dt", {}, term), h("dd", {}, text))));
const { sentence } = f;
const none = (text) => h("p", { class: "nothing" }, text);

const watcherText = ({ running, seconds_since_refresh: since }) => {
  const state = running === true ? "running" : running === false ? "not running" : "unknown";
  return since === null || since === undefined ? state : `${state}, refreshed ${ago(since)}`;
};

function drawFreshness(status) {
  const { coverage, events } = status;
  return { content: facts([
    ["Usage events waiting", known(status.lag_events)],
    ["Other rows waiting", known(status.lag_rows)],
    ["Oldest of them waits", f.seconds(status.lag_seconds)],
    ["Watcher of the logs", watcherText(status.watcher ?? {})],
    ["Loads in these numbers", `built through load ${known(status.built_through)} of ${known(status.newest_load_seq)}`],
    ["In quarantine", status.in_quarantine === 0 ? "nothing" : flag(false, "", f.counted(status.in_quarantine, "object"))],
    ["Read from", status.store_error ? `${f.name(status.store)}: ${status.store_error}` : f.name(status.store)],
    ["Usage events", known(events?.total)],
    ["Projects with a repository", `${known(coverage?.projects_with_repository)} of ${known(coverage?.projects)}`],
    ["Projects in the mart", `${known(coverage?.projects_with_mart)} of ${known(coverage?.projects)}`],
    ["Repositories with pull requests", `${known(coverage?.repositories_with_pull_requests)} of ${known(coverage?.repositories)}`],
  ]), note: "A load is one file that was added to the warehouse; a build makes the marts, which this page reads, out of all loads until then. The watcher collects while agents work, and refreshes the marts of usage." };
}

/** The remedy for a code in the status, for the place where it is served; empty when there is none. */
const remedyOf = ({ checks }, code) => checks?.find((check) => check.code === code)?.remedy ?? "";

const GAPS = {
  no_model: "the log names no model", no_tokens: "the log has no counts", model: "no price of this model",
  speed: "no price at this speed", region: "no price in this region", day: "no price on that day",
  context: "no price for prompts of this length", rate: "no rate for a kind that was used",
};

const priceKey = ({ agent, provider, speed, region, context, gap }) => [
  f.name(agent), f.name(provider), `speed ${f.name(speed)}`, region ? `region ${f.name(region)}` : null,
  context ? `prompts over ${f.whole(context)} tokens` : null, GAPS[gap],
].filter(Boolean).join(", ");

function drawUnpriced(status) {
  const { coverage } = status;
  const unpriced = coverage?.unpriced ?? [];
  if (unpriced.length === 0) return null;
  return {
    content: table("Models without a price", [
      { name: "Model", of: (row) => [f.name(row.model), h("small", {}, priceKey(row))] },
      { name: "Responses", number: true, of: (row) => known(row.responses) },
      { name: "Tokens", number: true, of: (row) => f.compact(row.tokens) },
    ], unpriced),
    note: `Their cost is unknown and in no sum. ${sentence(remedyOf(status, "no_price"))}`,
  };
}

function drawMarts({ marts }) {
  if (!marts?.length) return null;
  return { content: table("Marts and their watermarks", [
    { name: "Mart", of: (mart) => mart.name },
    { name: "State", of: (mart) => flag(mart.is_current, "current", "behind") },
    { name: "Watermark", number: true, of: (mart) => known(mart.watermark) },
    { name: "Rows", number: true, of: (mart) => known(mart.rows) },
    { name: "Refreshed", of: (mart) => f.instant(mart.last_refresh_at) },
  ], marts) };
}

const isConnected = (source) => source.is_connected ?? source.last_extracted_at !== null;

/** A source without any row was never connected, which is neither good nor bad. */
const sourceState = (source) => (!isConnected(source) ? h("span", { class: "quiet" }, "not connected")
  : flag(!source.is_silent, "received", "silent: no row since"));

const needsLook = ({ refused, unknown, lists_to_look_at: lists }) => refused + unknown + lists > 0;

/** The repositories of an account by state, in words. */
const countsByState = (account) => [
  `${f.whole(account.complete)} of ${f.counted(account.repositories, "repository", "repositories")} complete`,
  ...["provisional", "unknown", "refused"].filter((state) => account[state]).map((state) => `${f.whole(account[state])} ${state}`),
  account.lists_to_look_at ? "the list of repositories is not complete" : null,
].filter(Boolean).join(", ");

const wholeName = ({ source, account }) => [source, account].filter(Boolean).join(" ");
const unfoldedAccounts = new Set(); // by their name, also after a redraw

/** How much of an account is here: one line, which unfolds to what is not complete, with the reason. */
function accountCompleteness(account) {
  const name = wholeName(account);
  const line = [`${name}: `, flag(!needsLook(account), countsByState(account), countsByState(account))];
  if (!account.incomplete.length) return h("p", { class: "account" }, line);
  const more = account.incomplete_count - account.incomplete.length;
  const details = h("details", { class: "account", open: unfoldedAccounts.has(name) }, h("summary", {}, line),
    scrolling(`${name}, not complete`, table(`Not complete of ${name}`, [
      { name: "Part", of: (part) => [f.name(part.name), h("small", {}, part.object.replaceAll("_", " "))] },
      { name: "State", of: (part) => flag(part.state === "provisional", part.state, part.state) },
      { name: "Here", number: true, of: (part) => `${known(part.row_count)} of ${known(part.source_total)}` },
      { name: "Reason", of: (part) => part.reason ?? "" },
    ], account.incomplete)),
    more ? h("p", {}, `and ${f.whole(more)} more`) : null,
    h("p", {}, h("a", { href: "/api/sources?format=csv", download: true }, "All parts of the sources as CSV")));
  details.addEventListener("toggle", () => unfoldedAccounts[details.open ? "add" : "delete"](name));
  return details;
}

function drawSources({ sources, completeness }) {
  if (!sources?.length) return null;
  const accounts = (completeness ?? []).map(accountCompleteness);
  return { content: [...accounts, scrolling("Sources", tableOfSources(sources))] };
}

function tableOfSources(sources) {
  return table("Sources", [
    { name: "Table", of: (source) => source.table },
    { name: "State", of: sourceState },
    { name: "Last row", of: (source) => [f.instant(source.last_extracted_at), source.last_extracted_at === null ? null : h("small", {}, ago(source.seconds_since))] },
    { name: "Rows", number: true, of: (source) => known(source.rows) },
  ], sources);
}

const countsOf = (title, counts) =>
  table(title, [{ name: title, of: ([key]) => f.name(key) }, { name: "Events", number: true, of: ([, count]) => f.whole(count) }],
    Object.entries(counts ?? {}).sort((a, b) => b[1] - a[1]));

function drawEvents({ events }) {
  if (!events?.total) return null;
  return { content: [countsOf("Provider", events.by_provider), countsOf("Cost known from", events.by_cost_source)] };
}

function drawBuilds({ builds, runs, last_complete: complete }) {
  const built = builds?.length ? table("Last builds", [
    { name: "Build", of: (build) => String(build.number) },
    { name: "Result", of: (build) => flag(build.result === "good", "good", f.name(build.result)) },
    { name: "Through", number: true, of: (build) => known(build.built_through) },
    { name: "Took", number: true, of: (build) => f.seconds(build.seconds) },
    { name: "Began", of: (build) => f.instant(build.started_at) },
  ], builds, { isCaptionShown: true }) : none("No build yet.");
  const ran = runs?.length ? table("Last runs", [
    { name: "Run", of: (run) => run.run_id },
    { name: "Status", of: (run) => [flag(run.status === "complete", "complete", f.name(run.status)), run.reason ? h("small", {}, run.reason) : null] },
  ], [...runs].reverse(), { isCaptionShown: true }) : none("No run yet.");
  return { content: [built, ran], note: complete ? `Last complete run: ${complete}` : null };
}

function drawPanelSources(panels) {
  const rows = panels.filter((panel) => panel.options.url).map((panel) => ({ title: panel.options.title, answer: panel.answer }));
  return table("Where each panel's numbers come from", [
    { name: "Panel", of: (row) => row.title },
    { name: "From", of: (row) => row.answer?.source ?? f.UNKNOWN },
    { name: "Days", of: (row) => (row.answer ? f.range(row.answer.from, row.answer.to) : f.UNKNOWN) },
    { name: "As of", of: (row) => (row.answer ? f.instant(row.answer.as_of) : f.UNKNOWN) },
    { name: "Rows", number: true, of: (row) => known(row.answer?.total_count) },
  ], rows);
}

/** The line of the folded "Data health": what needs attention, else that nothing does. */
export function healthLine(status) {
  if (!status) return "the status is not known";
  const unpriced = status.coverage?.unpriced ?? [];
  const responses = unpriced.reduce((total, row) => total + (row.responses ?? 0), 0);
  const models = new Set(unpriced.map((row) => row.model)).size;
  const [build] = status.builds ?? [];
  return [
    ...(status.completeness ?? []).map((account) => `${wholeName(account)}: ${countsByState(account)}`),
    unpriced.length ? `${f.counted(models, "model")} without a price (cost unknown for ${f.counted(responses, "response")})` : status.events?.total ? "every used model has a price" : null,
    `${status.in_quarantine ? f.whole(status.in_quarantine) : "nothing"} in quarantine`,
    build ? `last build ${f.name(build.result)}` : "no build yet",
  ].filter(Boolean).join(" · ");
}

/** The panels of trust. `status.load()` returns a promise of the newest status, `status.again()` requests it; `panels` are those whose origin is shown. */
export function trustPanels(status, panels) {
  const wide = (label, draw) => (answer) => {
    const drawn = draw(answer);
    return drawn && { ...drawn, content: scrolling(label, drawn.content) };
  };
  const panel = (id, title, draw, options = {}) => new Panel({ id, title, draw, ...status, ...options });
  return [
    panel("freshness", "Freshness and coverage", drawFreshness),
    panel("unpriced", "Models without a price", drawUnpriced, { nothing: "Every model that was used has a price." }),
    panel("sources", "Sources", drawSources, { nothing: "Nothing was extracted yet." }),
    panel("events", "Usage events", drawEvents, {
      nothing: (status) => `No usage was collected yet. ${sentence(remedyOf(status, "nothing_collected"))}` }),
    panel("marts", "Marts", wide("Marts", drawMarts), { nothing: "No mart yet.", isWide: true }),
    panel("builds", "Builds and runs", wide("Builds and runs", drawBuilds), { isWide: true }),
    panel("origins", "Where each panel comes from", wide("Where each panel comes from", () => ({ content: drawPanelSources(panels),
      note: "“marts”: read from the mart. “events”: the mart's own definition over single events, because a filter is finer than the mart." })), { isWide: true }),
  ];
}
