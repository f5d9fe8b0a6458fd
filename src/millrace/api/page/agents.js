// What becomes of the pull requests that coding agents open, beside those of other bots and of people: the accepted share first.

import { address, getShared } from "./answers.js";
import { h, scrolling, table } from "./dom.js";
import * as f from "./format.js";
import { intervals } from "./intervals.js";
import { Panel } from "./panel.js";
import * as w from "./weeks.js";

const KINDS = ["agent", "bot", "person"]; // in this order
const NAMES = { bot: "other bots", person: "people" };
const TOO_FEW = "too few";
const LOWER_BOUND = "Agents are known by the signs that they leave, so there may be more.";

const nameOf = (row) => row.agent ?? NAMES[row.opened_by] ?? f.name(row.opened_by);
const number = (value) => (value === null || value === undefined ? null : Number(value));
const orTooFew = (row, text) => (row.has_too_few ? TOO_FEW : text);
const accepted = (row) => orTooFew(row, f.rate(number(row.accepted_share)));
const interval = (row) => `${f.rate(number(row.accepted_share_low))} to ${f.rate(number(row.accepted_share_high))}`;

/** Agents before bots and people; those with enough pull requests by their accepted share. */
function ordered(rows) {
  const rank = (row) => (row.has_too_few ? -1 : number(row.accepted_share) ?? -1);
  return [...rows].sort((a, b) => KINDS.indexOf(a.opened_by) - KINDS.indexOf(b.opened_by) || rank(b) - rank(a) || (nameOf(a) < nameOf(b) ? -1 : 1));
}

function shares(rows) {
  return intervals({
    label: "Accepted share of pull requests by who opened them, with 95% intervals.",
    axis: f.percent,
    rows: rows.map((row) => ({
      name: nameOf(row), slot: 0, isSure: true, isGrey: row.has_too_few,
      value: orNull(row, row.accepted_share), low: orNull(row, row.accepted_share_low), high: orNull(row, row.accepted_share_high),
      text: orTooFew(row, `${accepted(row)} of ${f.whole(row.n_accepted_known)}`),
      tip: [["Accepted", accepted(row)], ["95% interval", orTooFew(row, interval(row))], ["Merged", f.whole(row.merged_prs)], ["Merged or closed", f.whole(row.n_accepted_known)]],
    })),
  });
}

const orNull = (row, value) => (row.has_too_few ? null : number(value));
const reverted = (row) => (row.n_revert_known ? `${f.whole(row.reverted_prs)} (${f.rate(number(row.revert_rate))})` : f.UNKNOWN);
const withN = (text, n) => [text, h("small", {}, `n ${f.whole(n)}`)];

const COLUMNS = [
  { name: "Opened by", of: nameOf },
  { name: "Accepted (95% interval)", number: true, of: (row) => withN(row.has_too_few ? TOO_FEW : `${accepted(row)} (${interval(row)})`, row.n_accepted_known) },
  { name: "Merged", number: true, of: (row) => f.whole(row.merged_prs) },
  { name: "Closed without a merge", number: true, of: (row) => f.whole(row.closed_without_merge_prs) },
  { name: "Still open", number: true, of: (row) => f.whole(row.still_open_prs) },
  { name: "Cycle time, mean", number: true, of: (row) => withN(f.hours(number(row.avg_cycle_time_hours)), row.n_cycle_time_hours) },
  { name: "Review rounds by people", number: true, of: (row) => withN(f.hundredth(number(row.avg_human_review_rounds)), row.opened_prs) },
  { name: "Reverted", number: true, of: (row) => withN(reverted(row), row.n_revert_known) },
];

function draw(answer, { person, developer }) {
  if (answer.agents.length === 0) return null;
  const rows = ordered(answer.agents);
  const notes = [
    rows.some((row) => row.opened_by === "agent") ? LOWER_BOUND : `No pull request that was opened in these weeks has the sign of a coding agent. ${LOWER_BOUND}`,
    "Pull requests that are still open are in no share: there are most of them in the newest weeks.",
    rows.some((row) => row.has_too_few) ? "Too few: under 20 that were merged or closed." : null,
    person.length || developer.length ? "These are of all people: agents have no filter by person." : null,
  ];
  return {
    content: [shares(rows), scrolling("Pull requests by who opened them", table("What became of pull requests, by who opened them", COLUMNS, rows))],
    span: w.spanOf(answer),
    note: notes.filter(Boolean).join(" "),
  };
}

/** The panel of pull requests by who opened them. */
export function agentsPanel(filters) {
  const url = () => address("/api/agent-pull-requests", "opened", filters());
  return new Panel({
    id: "agent-prs", title: "Pull requests of coding agents: how many are accepted?", isWide: true, url,
    nothing: "No pull request was opened in these weeks.",
    load: (signal) => getShared(url(), signal), draw: (answer) => draw(answer, filters()),
  });
}
