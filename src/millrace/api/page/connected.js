// What the newest status says about what there is at all: for empty states, which say what to connect.

import { h } from "./dom.js";

const NOTHING = "Nothing in this range. Choose a longer one, or remove a filter.";
let latest = null;

/** Keep the newest status; returns whether it is the first. */
export function remember(status) {
  const isFirst = latest === null;
  latest = status;
  return isFirst;
}

/** Whether rows of a table were ever received; true as long as that is unknown. */
function isLoaded(table) {
  const source = latest?.sources?.find((one) => one.table === table);
  return !source || (source.is_connected ?? source.last_extracted_at !== null);
}

/** Whether rows of GitHub's pull requests were ever received. */
const isOnGitHub = () => latest?.sources?.some((one) => one.table === "github_pull_requests" && one.is_connected) ?? false;

/** Whether there are pull requests, or usage, of any day; true as long as that is unknown. */
export const has = { pull_requests: () => isLoaded("pull_requests") || isOnGitHub(), usage: () => latest === null || latest.events?.total > 0 };

/** The next step in the words of the status, for the place that serves it (millrace/status/remedies.py): text, or a command to type. */
function step(name) {
  const text = latest?.remedies?.[name] ?? "";
  return { isTyped: text.startsWith("type: "), text: text.replace(/^type: /, "") };
}

/** The step for one user: a command has the name as its argument. */
function stepOfUser(user) {
  const { isTyped, text } = step("map_user");
  return { isTyped, text: text.replace(/ USER DEVELOPER$/, () => ` ${typed(user)} DEVELOPER`) };
}

/** What begins or mends something. */
export const steps = {
  pull_requests: () => step("connect"),
  usage: () => step("collect"),
  map_project: () => step("map_project"),
  map_user: stepOfUser,
};

/** A next step as an element: a command to copy, or words. */
export const stepElement = ({ isTyped, text }) => (isTyped ? h("code", { class: "command" }, text) : h("span", {}, text));

const quoted = (text) => (/^[\w@.+/:-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

/** A name as an argument: quoted for a shell, and never read as an option. */
const typed = (name) => (name.startsWith("-") ? `-- ${quoted(name)}` : quoted(name));

const FIRST = { pull_requests: "No pull requests yet. Connect a source: ", usage: "No usage yet. Count what the agents of a machine used: " };

/** The empty state of a panel that needs a kind of rows: [sentence, next step or null]. */
export const emptiness = (kind) => (kind && !has[kind]() ? [FIRST[kind], steps[kind]()] : [NOTHING, null]);
