// The range of days of all panels: a preset of the API, or a first and a last day.

import { shortDay } from "./format.js";

export const DEFAULT = "this_month";
export const PRESETS = [
  ["this_month", "This month"], ["last_month", "Last month"], ["last_7_days", "Last 7 days"], ["last_30_days", "Last 30 days"],
  ["last_90_days", "Last 90 days"], ["this_year", "This year"], ["all", "All time"],
];

/** The parameters of a request: the days that were chosen, else the preset. */
export const ofRange = (values) => (values.from.length || values.to.length ? ["from", "to"] : ["period"]);

/** Whether the range is a preset that the page offers; else the form shows its days. */
export const isPreset = (values) => ofRange(values)[0] === "period";

/** Why two days cannot be a range; null when they can. An empty last day is today. */
export function problemOf(from, to) {
  const last = to || new Date(Date.now() + 14 * 3_600_000).toISOString().slice(0, 10); // today where it is latest
  if (!from || !/^\d{4}-\d\d-\d\d$/.test(from) || !/^\d{4}-\d\d-\d\d$/.test(last) || from <= last) return null;
  return to ? `From (${shortDay(from)}) is after To (${shortDay(to)}): choose an earlier first day, or a later last day.`
    : `From (${shortDay(from)}) is after today: choose an earlier first day, or a last day.`;
}
