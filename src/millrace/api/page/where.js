// Where the money went (people, repositories, models, sessions), and what it went into (repositories with their pull requests).

import { aiKnown, aiShare, commitsMatched } from "./ai.js";
import { address, get, getShared } from "./answers.js";
import { shareBar } from "./charts.js";
import { mark } from "./complete.js";
import { has, stepElement, steps } from "./connected.js";
import { h, popover, scrolling, table } from "./dom.js";
import * as f from "./format.js";
import { withModels } from "./models.js";
import { choice, Panel } from "./panel.js";

const MOST_ROWS = 8; // of a bar table; all are in the table of its numbers
const isNull = (value) => value === null || value === undefined;

/** A name that filters the page; the name is whole for a screen reader, on focus, and as a tooltip. */
export function nameButton(page, key, value, { title = value } = {}) {
  const isOnly = page.filters()[key].length === 1 && page.filters()[key][0] === value;
  return h("button", { type: "button", class: "name", title, "aria-pressed": String(isOnly), onclick: () => (isOnly ? page.toggle(key, value) : page.only(key, value)) }, key === "repo" ? ownerFirst(value) : value);
}

/** A repository: its owner is left out on a phone, where the end of a name would be. */
function ownerFirst(name) {
  const end = name.lastIndexOf("/") + 1;
  return end > 0 && end < name.length ? [h("span", { class: "owner" }, name.slice(0, end)), name.slice(end)] : name;
}

/** A repository that filters the page, with its mark where it is not complete. */
export const repositoryCell = (page, name) => [nameButton(page, "repo", name), mark(name)];

/** What mends an unknown: a button that opens the next step; `ifTyped` is said beside a command alone. */
function remedy(text, sentence, step, ifTyped = "") {
  return popover(h("button", { type: "button", class: "link" }, text), { class: "says", role: "note", "aria-label": text }, h("p", {}, sentence, step.isTyped ? ifTyped : ""), stepElement(step));
}

const mapProject = () => remedy("map it", "Name the repository of a project; * stands for any text.", steps.map_project(), " millrace doctor lists the projects without one.");
const small = (...children) => [" ", h("small", {}, children)];

const VIEWS = {
  person: {
    title: "person", route: "/api/people", head: "Person",
    name: (row, page) => (isNull(row.person)
      ? ["no user in the logs", small("set ", h("code", {}, "MILLRACE_COLLECT_USER"))]
      : [nameButton(page, "person", row.person),
        isNull(row.developer) && has.pull_requests() ? small("not matched · ", remedy("map it", "Name the developer whose pull requests these are:", steps.map_user(row.person))) : null]),
  },
  repo: {
    title: "repository", route: "/api/repositories", head: "Repository",
    name: (row, page) => (isNull(row.repo_name)
      ? ["not matched", small(mapProject())]
      : repositoryCell(page, row.repo_name)),
  },
  model: { title: "model", route: "/api/models", head: "Model", name: (row, page) => modelName(row, page) },
  session: {
    title: "session", route: "/api/sessions", head: "Session",
    name: (row, page) => [h("span", { class: "plain" }, row.first_at ? f.shortInstant(row.first_at) : f.UNKNOWN),
      small([row.person, row.repo_name ? f.shortName(row.repo_name) : row.project, row.model].filter(Boolean).join(" · ") || f.name(row.agent))],
  },
};

/** A model: its short name; the ids that the logs have for it are shown on focus, and as a tooltip. */
function modelName(row, page) {
  const ids = (row.model_ids ?? "").split(", ").filter((id) => id && id !== row.model).join(", ");
  return h("span", { title: ids ? `in the logs: ${ids}` : null }, isNull(row.model) ? "not named in the logs" : nameButton(page, "model", row.model, { title: null }),
    small(row.provider ?? "provider not named", ids ? h("span", { class: "ids" }, `, in the logs: ${ids}`) : null));
}

const spent = (row) => !isNull(row.cost_usd) || row.assistant_message_count > 0;

function costCell(row, most) {
  const note = f.costNote(row);
  return h("span", { class: "cost", title: note }, h("span", {}, f.cost(row, f.shortUsd)), note ? h("span", { class: "hidden" }, ` (${note})`) : null, shareBar(Number(row.cost_usd ?? 0) / most));
}

const TOKENS = [
  ["total_tokens", "Tokens"], ["input_tokens", "Input"], ["output_tokens", "Output"], ["cache_read_tokens", "Cache read"],
  ["cache_write_5m_tokens", "Cache write, 5 min"], ["cache_write_1h_tokens", "Cache write, 1 h"], ["reasoning_tokens", "Reasoning"],
];

function drawWhere(answer, view, page) {
  const rows = answer.rows.filter(spent);
  if (rows.length === 0) return null;
  const most = Math.max(...rows.map((row) => Number(row.cost_usd ?? 0)), Number.MIN_VALUE);
  const whole = Number(answer.totals?.cost_usd ?? 0) || rows.reduce((total, row) => total + Number(row.cost_usd ?? 0), 0);
  const share = (row) => (isNull(row.cost_usd) || !whole ? f.UNKNOWN : f.rate(Number(row.cost_usd) / whole));
  const { head, name } = VIEWS[view];
  const isSession = view === "session";
  const counts = isSession ? { name: "Responses", number: true, of: (row) => f.whole(row.assistant_message_count) } : { name: "Sessions", number: true, of: (row) => f.whole(row.session_count) };
  const shown = rows.slice(0, MOST_ROWS);
  const hidden = (isSession ? answer.total_count : rows.length) - shown.length;
  const all = [
    { name: head, of: (row) => name(row, page) },
    { name: "Cost", number: true, of: (row) => f.cost(row) },
    { name: "Share", number: true, of: share },
    { name: "Responses", number: true, of: (row) => f.whole(row.assistant_message_count) },
    { name: "with a cost", number: true, of: (row) => f.whole(row.n_cost) },
    ...TOKENS.filter(([column]) => rows[0][column] !== undefined).map(([column, title]) => ({ name: title, number: true, of: (row) => f.whole(row[column]) })),
    counts,
  ];
  return {
    content: table(`Cost ${view === "person" ? "by person" : `by ${view}`}`, [
      { name: head, of: (row) => name(row, page) },
      { name: "Cost", of: (row) => costCell(row, most) },
      { name: "Share", number: true, isExtra: true, of: share },
      { name: "Tokens", number: true, of: (row) => f.compact(row.total_tokens) },
      { ...counts, isExtra: true },
    ], shown),
    note: hidden > 0 ? (isSession ? h("a", { href: "#rows" }, `And ${f.counted(hidden, "more session")}: see the list.`) : `And ${f.whole(hidden)} more, which cost less: see the numbers.`) : null,
    table: isSession ? null : scrolling(head, table(`Cost by ${view}: all measures`, all, rows)),
  };
}

/** The panel "Where it went"; `page` has the filters, what changes them, and the parts of the address. */
export function wherePanel(page) {
  const url = () => {
    const view = VIEWS[page.part("by")];
    return address(view.route, "usage", page.filters(), view === VIEWS.session ? { limit: MOST_ROWS } : {});
  };
  const isSession = () => page.part("by") === "session";
  const panel = new Panel({
    id: "where", title: "Where it went", isCalm: true, needs: "usage", url: () => address(VIEWS[page.part("by")].route, "usage", page.filters()),
    controls: choice("by", "Where it went", Object.entries(VIEWS).map(([key, view]) => [key, view.title]), page.part("by"), (value) => {
      page.setPart("by", value);
      panel.refresh(panel.signal);
    }),
    load: async (signal) => {
      if (!isSession()) return getShared(url(), signal);
      return withModels(getShared(url(), signal, get), page.filters(), signal);
    },
    draw: (answer) => drawWhere(answer, page.part("by"), page),
  });
  return panel;
}

function drawInto(answer, page) {
  const rows = answer.rows.filter((row) => !isNull(row.repo_name) && (row.merged_prs || spent(row)));
  if (rows.length === 0) return null;
  const unmatched = answer.rows.find((row) => isNull(row.repo_name) && spent(row));
  const perPr = (row) => (isNull(row.cost_per_merged_pr) ? f.UNKNOWN : f.knownShare(row) < 1 ? f.atLeast(f.shortUsd(row.cost_per_merged_pr)) : f.shortUsd(row.cost_per_merged_pr));
  const prs = (row) => (row.merged_prs ? h("button", { type: "button", class: "link number", onclick: () => page.list("pull-requests", "repo", row.repo_name) },
    f.whole(row.merged_prs), h("span", { class: "hidden" }, ` pull requests of ${row.repo_name}`)) : f.whole(row.merged_prs));
  const columns = [
    { name: "Repository", of: (row) => repositoryCell(page, row.repo_name) },
    { name: "Spend", number: true, of: (row) => (isNull(row.cost_usd) ? f.UNKNOWN : f.cost(row, f.shortUsd)) },
    { name: "PRs", number: true, of: prs },
    { name: "$/PR", number: true, of: perPr },
    { name: "AI lines", number: true, isExtra: true, of: (row) => h("span", { title: aiKnown(row) }, aiShare(row)) },
    { name: "Cycle", number: true, of: (row) => f.wholeHours(row.p50_cycle_time_hours) },
    { name: "Reverted", number: true, isExtra: true, of: (row) => f.rate(row.revert_rate) },
  ];
  const every = [
    ...columns.map((column) => ({ ...column, isExtra: false })),
    { name: "Cycle, 90th percentile", number: true, of: (row) => f.hours(row.p90_cycle_time_hours) },
    { name: "Lines added", number: true, of: (row) => f.whole(row.lines_added) },
    { name: "by AI", number: true, of: (row) => f.whole(row.ai_lines_added) },
    { name: "PRs with AI lines known", number: true, of: (row) => f.whole(row.ai_known_prs) },
    { name: "Commits matched", number: true, of: (row) => commitsMatched(row) ?? f.UNKNOWN },
    { name: "Reverted PRs", number: true, of: (row) => f.whole(row.reverted_prs) },
    { name: "of known", number: true, of: (row) => f.whole(row.n_revert_known) },
    { name: "Tokens", number: true, of: (row) => f.whole(row.total_tokens) },
    { name: "Sessions", number: true, of: (row) => f.whole(row.session_count) },
  ];
  const shown = rows.slice(0, MOST_ROWS);
  const missing = unmatched && !isNull(unmatched.cost_usd) ? [`${f.cost(unmatched, f.shortUsd)} is matched to no repository: `,
    mapProject()] : null;
  const known = aiKnown(answer.totals ?? {});
  const hidden = rows.length - shown.length;
  return {
    content: [table("Repositories: what was spent, and what was merged", columns, shown),
      missing || hidden > 0 ? h("p", { class: "note" }, hidden > 0 ? `And ${f.whole(hidden)} more: see the numbers. ` : null, missing) : null],
    note: known && `${known}.`,
    table: scrolling("Repositories", table("Repositories: all measures", every, rows)),
  };
}

/** The panel "What it went into". */
export function intoPanel(page) {
  const url = () => address("/api/repositories", "usage", page.filters());
  return new Panel({
    id: "went-into", title: "What it went into", isCalm: true, needs: "pull_requests", url,
    load: (signal) => getShared(url(), signal), draw: (answer) => (has.pull_requests() ? drawInto(answer, page) : null),
  });
}
