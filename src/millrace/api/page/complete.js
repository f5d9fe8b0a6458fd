// Whether all pull requests of a repository are here: a mark for each that is not known to be complete, and a note beside what it is part of.

import { getShared } from "./answers.js";
import { h } from "./dom.js";
import { counted, name as named, whole } from "./format.js";

const STATES = ["provisional", "unknown", "refused"]; // the last one is the worst
const MEANS = {
  provisional: "the newest pull requests are here, the rest is not proven yet",
  unknown: "pull requests may be missing",
  refused: "the source does not let its pull requests be read",
};
const MOST_NAMED = 3;
const ROUTE = `/api/sources?${new URLSearchParams(STATES.map((state) => ["state", state]))}`;
let parts = new Map(); // by the name in small letters; null: it is not known

const keyOf = (name) => String(name).toLowerCase();
const isWorse = (part, than) => STATES.indexOf(part.state) > STATES.indexOf(than.state);

/** Ask which repositories are not complete; returns whether that is another answer than before. */
export async function askComplete(signal) {
  const before = JSON.stringify(parts && [...parts]);
  try {
    const { rows } = await getShared(ROUTE, signal);
    if (signal.aborted) return false;
    parts = new Map();
    for (const part of rows.filter((row) => row.object === "pull_requests")) {
      const key = keyOf(part.name ?? part.window_id);
      if (!parts.has(key) || isWorse(part, parts.get(key))) parts.set(key, part);
    }
  } catch {
    if (signal.aborted) return false;
    parts = null; // the panel "Sources" shows a failure of the server
  }
  return JSON.stringify(parts && [...parts]) !== before;
}

/** A text with the sign of what is in part, which is not read aloud. */
export const half = (text) => [h("span", { "aria-hidden": "true" }, "◐\u00a0"), text];

const link = (text, title = null) => h("a", { class: "mark", href: "#sources", title }, half(text));
const reasonOf = ({ state, reason }) => reason ?? MEANS[state];

/** The state of a repository in a word, where it is not complete; else null. */
export const stateOf = (repository) => parts?.get(keyOf(repository))?.state ?? null;

/** The mark beside the name of a repository that is not complete: its state, with the reason as a tooltip and on focus; else null. */
export function mark(repository) {
  const part = parts?.get(keyOf(repository));
  if (!part) return null;
  const reason = reasonOf(part);
  return [" ", link(part.state, reason), h("span", { class: "why" }, reason)];
}

/** The parts that are not complete, the worst first, of the chosen repositories; of all where none is chosen. */
function incompleteOf(chosen) {
  const keys = new Set(chosen.map(keyOf));
  const found = [...(parts ?? [])].filter(([key]) => keys.size === 0 || keys.has(key)).map(([, part]) => part);
  return found.sort((a, b) => (isWorse(a, b) ? -1 : isWorse(b, a) ? 1 : keyOf(a.name) < keyOf(b.name) ? -1 : 1));
}

const NOT_KNOWN = "Not known whether all pull requests are here: the state of the sources was not received.";

/** What is below a panel of pull requests: which of its repositories are not complete; else null. */
export function incompleteNote(chosen) {
  if (parts === null) return NOT_KNOWN;
  const found = incompleteOf(chosen);
  if (found.length === 0) return null;
  const names = found.slice(0, MOST_NAMED).map((part) => `${named(part.name)} (${part.state})`);
  const rest = found.length - names.length;
  return [link("Not complete"), `: ${names.join(", ")}${rest ? ` and ${whole(rest)} more` : ""}. Pull requests can be missing.`];
}

/** The same for a tile, in a few words. */
export function incompleteCount(chosen) {
  if (parts === null) return link("not known if complete", NOT_KNOWN);
  const found = incompleteOf(chosen);
  if (found.length === 0) return null;
  const title = found.slice(0, MOST_NAMED).map((part) => `${named(part.name)}: ${part.state}`).join("; ");
  return link(`${counted(found.length, "repository", "repositories")} not complete`, title);
}
