// Dots with intervals: one row for each measure or group, all on one axis. Reads like the other charts, row by row.

import { marker, readable } from "./charts.js";
import { s } from "./dom.js";
import { ticks } from "./scales.js";

const ROW = 40;
const NARROW = 560; // pixels: below it a row's name stands above its interval
const AXIS = 34;

/** Round steps from the lowest to the highest end; with a zero line, both sides reach equally far. */
function stepsOf(rows, { isAroundZero, most }) {
  const ends = rows.flatMap((row) => [row.low, row.value, row.high]).filter((end) => end !== null);
  const far = Math.min(most ?? Infinity, Math.max(...ends.map(Math.abs), Number.MIN_VALUE));
  if (!isAroundZero) return ticks(0, far, 5);
  const half = ticks(0, far, 3);
  return [...half.slice(1).reverse().map((step) => -step), ...half];
}

function rowOf(row, y, nameAt, textAt, box, slot) {
  const [low, high] = [row.low ?? row.value, row.high ?? row.value];
  const grey = row.isGrey ? " grey" : "";
  const drawn = [s("text", { class: `row-name${grey}`, x: nameAt.x, y: y + nameAt.dy }, row.name)];
  drawn.push(s("text", { class: `row-value${grey}`, x: textAt.x, y: y + textAt.dy, "text-anchor": "end" }, row.text));
  drawn.push(s("line", { class: "grid", x1: box.left, x2: box.right, y1: y, y2: y }));
  if (row.value === null) return drawn;
  const [x1, x2] = [box.x(low), box.x(high)];
  const cap = (x, end, isOut) => (isOut ? s("path", { class: `arrow s${slot}${grey}`, d: `M${x} ${y}l${-6 * end} -5v10z` }) : s("path", { class: `whisker s${slot}${grey}`, d: `M${x} ${y - 5}v10` }));
  if (high > low)
    drawn.push(s("path", { class: `whisker wide s${slot}${grey}`, d: `M${x1} ${y}H${x2}` }), cap(x1, -1, low < box.min), cap(x2, 1, high > box.max));
  const dot = marker(row.shape ?? 0, box.x(row.value), y, 5.5, !row.isSure);
  dot.setAttribute("class", `${row.isSure ? "fill" : "hollow"} s${slot}${grey} dot`);
  drawn.push(dot);
  return drawn;
}

function picture(spec, width) {
  const isNarrow = width < NARROW;
  const height = spec.rows.length * (isNarrow ? ROW + 16 : ROW) + AXIS + 8;
  const textWidth = Math.max(...spec.rows.map((row) => row.text.length)) * 6.6;
  const nameWidth = Math.max(...spec.rows.map((row) => row.name.length)) * 8.4;
  const box = { left: isNarrow ? 12 : nameWidth + 18, right: isNarrow ? width - 12 : width - textWidth - 22, top: 6, bottom: height - AXIS };
  [box.min, box.max] = [spec.steps[0], spec.steps.at(-1)];
  box.x = (value) => box.left + ((Math.max(box.min, Math.min(value, box.max)) - box.min) / (box.max - box.min)) * (box.right - box.left);
  const each = (box.bottom - box.top) / spec.rows.length;
  const y = (i) => box.top + (i + 0.5) * each + (isNarrow ? 10 : 0);
  const cursor = s("rect", { class: "cursor", x: 0, width, height: each, visibility: "hidden" });
  const every = Math.ceil((Math.max(...spec.steps.map((step) => spec.axis(step).length)) * 7 * spec.steps.length) / (box.right - box.left));
  const zero = spec.steps.indexOf(0);
  const grid = spec.steps.map((step, i) => [
    s("line", { class: step === 0 ? "zero" : "grid", x1: box.x(step), x2: box.x(step), y1: box.top, y2: box.bottom }),
    (i - zero) % every === 0 ? s("text", { x: box.x(step), y: box.bottom + 15, "text-anchor": "middle" }, spec.axis(step)) : null,
  ]);
  const sides = spec.sides
    ? [s("text", { class: "side", x: box.left, y: box.bottom + 30 }, `← ${spec.sides[0]}`), s("text", { class: "side", x: box.right, y: box.bottom + 30, "text-anchor": "end" }, `${spec.sides[1]} →`)]
    : null;
  const nameAt = isNarrow ? { x: 0, dy: -18 } : { x: 0, dy: 4 };
  const textAt = isNarrow ? { x: width, dy: -18 } : { x: width, dy: 4 };
  const svg = s("svg", { width, height, viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true", focusable: "false" },
    cursor, grid, sides, spec.rows.map((row, i) => rowOf(row, y(i), nameAt, textAt, box, row.slot ?? 0)));
  return {
    svg, cursor,
    show: (at) => cursor.setAttribute("y", box.top + at * each),
    find: (_, top) => (top < box.top || top >= box.bottom ? null : Math.floor((top - box.top) / each)),
    left: () => width / 2 - 150, right: () => width / 2 - 150,
  };
}

/**
 * Dots with intervals on one axis.
 *
 * spec: label, in words; rows: [{name, value, low, high, text, tip: [[name, text]], isSure, isGrey?, shape?, slot?}]: a dot that
 * is not sure is hollow, and without an interval low and high are null; axis(value); isAroundZero: zero is in the middle;
 * sides: the words for the left and the right of it; most: the axis ends here, and longer intervals end in an arrow.
 */
export function intervals(spec) {
  const steps = stepsOf(spec.rows, spec);
  const isCut = spec.rows.some((row) => Math.max(Math.abs(row.low ?? 0), Math.abs(row.high ?? 0)) > steps.at(-1));
  const note = isCut ? `An arrow: the interval goes on beyond ${spec.axis(steps.at(-1))}.` : null;
  const tip = (i) => ({ title: spec.rows[i].name, rows: spec.rows[i].tip });
  return readable({ ...spec, count: spec.rows.length, tip, draw: (width) => picture({ ...spec, steps }, width) }, note);
}
