// How much of the cost found its repository and its person, and why the rest did not.

import { h, scrolling, table } from "./dom.js";
import * as f from "./format.js";
import { grouped, sum } from "./weeks.js";

const HOW = {
  file: "by the map of projects", remote: "by the git remote of the folder", project: "by the rest of its project", default: "by the default map",
};
const WHY_NO_REPOSITORY = {
  no_folder: "the agent logs no folder", no_remote: "the folder has no git remote that may be named",
  several_repositories: "its maps name several repositories", not_a_known_repository: "no connected source has its repository",
};
const WHY_NO_PERSON = { no_user: "the machine names no user", no_developer: "its user is no developer of a source" };
const NOT_KNOWN = "not known why";

const measures = (rows) => Object.fromEntries(["cost_usd", "n_cost", "assistant_message_count"].map((column) => [column, sum(rows, column)]));

/** The rows of a table: those that were found by how, those that were not by why, each with its sums. */
function lines(rows, what, textOf) {
  const texts = [...new Set(rows.map(textOf))];
  const found = grouped(rows, texts, textOf).map(({ key, rows: same }) => ({ what, text: key, ...measures(same) }));
  return found.sort((a, b) => Number(b.cost_usd ?? -1) - Number(a.cost_usd ?? -1));
}

const isFound = (gap) => gap === null || gap === undefined;
const bySign = (rows, column) => [rows.filter((row) => isFound(row[column])), rows.filter((row) => !isFound(row[column]))];

/** A table of all usage of an answer of /api/ai-spend by what it was matched to; null where there is none. */
export function matchesTable(rows) {
  if (!rows?.length) return null;
  const whole = sum(rows, "cost_usd");
  const [placed, homeless] = bySign(rows, "repository_gap");
  const [owned, unowned] = bySign(rows, "developer_gap");
  const share = (row) => (row.cost_usd === null || !whole ? f.UNKNOWN : f.rate(row.cost_usd / whole));
  const title = "How much of the cost found its repository and its person";
  return h("div", { class: "matches" }, h("h4", {}, title), scrolling(title, table(title, [
    { name: "Cost with", of: (row) => row.what },
    { name: "How, or why not", of: (row) => row.text },
    { name: "Cost", number: true, of: (row) => f.cost(row) },
    { name: "Of all cost", number: true, of: share },
    { name: "Responses", number: true, of: (row) => f.whole(row.assistant_message_count) },
  ], [
    ...lines(placed, "a repository", (row) => HOW[row.matched_by] ?? NOT_KNOWN),
    ...lines(homeless, "no repository", (row) => WHY_NO_REPOSITORY[row.repository_gap] ?? NOT_KNOWN),
    ...lines(owned, "a person", () => "its user is a developer"),
    ...lines(unowned, "no person", (row) => WHY_NO_PERSON[row.developer_gap] ?? NOT_KNOWN),
  ])));
}
