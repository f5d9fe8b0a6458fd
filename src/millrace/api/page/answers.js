// Answers of the API: JSON, or a Problem with the error and the next step.

import { ofRange } from "./period.js";

const TIMEOUT_MS = 60_000;
const PAGE = 1000;
const MOST_PAGES = 20;
const LISTS = ["rows", "model_days"]; // of the days on a page of the answer

/** An error in place of an answer; `nextStep` is the server's advice. */
export class Problem extends Error {
  constructor(title, detail, nextStep, status = null) {
    super(detail ?? title);
    Object.assign(this, { title, detail, nextStep, status });
  }
}

const delivery = ["repo", "person", "developer"];
const filterNames = {
  delivery,
  opened: ["repo"],
  spend: [...delivery, "provider", "model"],
  usage: [...delivery, "project", "agent", "provider", "model"],
};

/** The address of a route under the filters that it has. `kind` is "delivery", "opened", "spend" or "usage". */
export function address(route, kind, filters, extra = {}) {
  const query = new URLSearchParams();
  for (const key of [...ofRange(filters), ...filterNames[kind]]) for (const value of filters[key] ?? []) query.append(key, value);
  for (const [key, value] of Object.entries(extra)) query.append(key, value);
  const text = query.toString();
  return text ? `${route}?${text}` : route;
}

const and = (url, query) => `${url}${url.includes("?") ? "&" : "?"}${query}`;

/** The same address, as CSV with all rows. */
export const asCsv = (url) => and(url, "format=csv");

async function problemOf(response) {
  let body = {};
  try {
    body = await response.json();
  } catch {
    // not JSON: only the status is known
  }
  const title = body.title ?? `The server answered ${response.status}`;
  return new Problem(title, body.detail ?? null, body.next_step ?? null, response.status);
}

/** The answer at `url`. Raises Problem, or the AbortError of `signal`. */
export async function get(url, signal = null) {
  const limits = [AbortSignal.timeout(TIMEOUT_MS), ...(signal ? [signal] : [])];
  try {
    const response = await fetch(url, { signal: AbortSignal.any(limits), headers: { Accept: "application/json" } });
    if (!response.ok) throw await problemOf(response);
    return await response.json();
  } catch (error) {
    if (error instanceof Problem || signal?.aborted) throw error;
    if (error.name === "TimeoutError") throw new Problem("No answer in time", `No answer within ${TIMEOUT_MS / 1000} s.`, "Narrow the range, or try again.");
    if (error instanceof SyntaxError) throw new Problem("Not an answer", "The reply is not JSON.", "Is this Millrace's server? Reload the page.");
    throw new Problem("The server cannot be reached", "The request did not get through.", "Check that it is running, then try again.");
  }
}

/**
 * All rows at `url`, page by page, as one answer. When the marts were rebuilt between two pages, it starts again:
 * rows of two builds do not add up. `is_whole` is false when there are too many rows to draw.
 */
export async function getAll(url, signal = null, attempts = 3) {
  const sized = and(url, `limit=${PAGE}`);
  const answer = await get(sized, signal);
  const lists = Object.fromEntries(LISTS.filter((list) => answer[list]).map((list) => [list, [...answer[list]]]));
  let hasMore = answer.has_more;
  for (let page = 1; hasMore && page < MOST_PAGES; page += 1) {
    const next = await get(`${sized}&offset=${page * PAGE}`, signal);
    if (next.built_through !== answer.built_through && attempts > 1) return getAll(url, signal, attempts - 1);
    for (const list of Object.keys(lists)) lists[list].push(...next[list]);
    hasMore = next.has_more;
  }
  return { ...answer, ...lists, is_whole: !hasMore };
}

const asked = new WeakMap(); // by the signal of one refresh: panels share equal requests

/** `getAll` (or another `read`), shared among the panels of one refresh. A failure is not cached: the next call sends a new request. */
export function getShared(url, signal, read = getAll) {
  if (!asked.has(signal)) asked.set(signal, new Map());
  const answers = asked.get(signal);
  if (!answers.has(url)) {
    const answer = read(url, signal);
    answers.set(url, answer);
    answer.catch(() => answers.delete(url));
  }
  return answers.get(url);
}
