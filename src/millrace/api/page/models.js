// Models under the names by which they are priced: one model has several ids in logs, e.g. with a date.

import { address, getShared } from "./answers.js";

/** The models of the page's range and filters, shared among its panels. */
export const modelsOf = (filters, signal) => getShared(address("/api/models", "usage", filters), signal);

/** From the id of a model in logs to its name: a function, which returns an id that it does not know as it is. */
export function namesOfModels({ rows }) {
  const names = new Map();
  for (const row of rows) for (const id of (row.model_ids ?? "").split(", ")) names.set(id, row.model);
  return (id) => names.get(id) ?? id ?? null;
}

/** An answer of sessions, each with the `model` that it used most. */
export async function withModels(sessions, filters, signal) {
  const [answer, models] = await Promise.all([sessions, modelsOf(filters, signal)]);
  const nameOf = namesOfModels(models);
  return { ...answer, rows: answer.rows.map((row) => ({ ...row, model: nameOf(row.primary_model) })) };
}
