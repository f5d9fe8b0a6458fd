// Dots with intervals, a row for each measure or group: all on one axis, or each on its own around a common zero line.
// Read like the other charts, row by row.

import { marker, readable } from "./charts.js";
import { s } from "./dom.js";
import { ticks } from "./scales.js";

const NARROW = 560; // pixels: below it a row's name stands above its interval
const ROW = 36;
const OWN_AXIS = 18; // for the names of a row's own ticks
const NAME = 17; // for a name above
const BOTTOM = 22; // for the names of a common axis, or the words for its sides
const LETTER = { name: 8.6, value: 7.2, tick: 6.8 };

const ends = (row) => [row.low, row.value, row.high].filter((end) => end !== null);
const farthest = (rows) => Math.max(Number.MIN_VALUE, ...rows.flatMap(ends).map(Math.abs));

/** Round steps for some rows: from zero on, or as far to both sides of it. */
function stepsOf(rows, isAroundZero) {
  const most = Math.min(...rows.map((row) => row.most ?? Infinity));
  if (!isAroundZero) return ticks(0, Math.min(most, farthest(rows)), 5);
  const half = ticks(0, Math.min(most, farthest(rows)), 2);
  return [...half.slice(1).reverse().map((step) => -step), ...half];
}

function scaleOf(steps, box) {
  const [min, max] = [steps[0], steps.at(-1)];
  const x = (value) => box.left + ((Math.max(min, Math.min(value, max)) - min) / (max - min)) * (box.right - box.left);
  return { min, max, x };
}

/** The names of steps below a line, as many as have room. */
function names(steps, axis, scale, y, box) {
  const room = (box.right - box.left) / (steps.length - 1);
  const every = Math.ceil((Math.max(...steps.map((step) => axis(step).length)) * LETTER.tick + 8) / room);
  const zero = steps.indexOf(0);
  return steps.map((step, i) => ((i - zero) % every === 0 ? s("text", { class: "step", x: scale.x(step), y, "text-anchor": "middle" }, axis(step)) : null));
}

function interval(row, y, scale) {
  const style = `s${row.slot ?? 0}${row.isGrey ? " grey" : ""}`;
  const x = scale.x(row.value);
  const dot = marker(row.shape ?? 0, x, y, 5.5, !row.isSure);
  dot.setAttribute("class", `${row.isSure ? "fill" : "hollow"} dot ${style}`);
  if (row.low === null) return dot;
  const cap = (value, side) => {
    const at = scale.x(value);
    const isOut = value < scale.min || value > scale.max;
    return s("path", isOut ? { class: `arrow ${style}`, d: `M${at} ${y}l${-7 * side} -5v10z` } : { class: `whisker ${style}`, d: `M${at} ${y - 5}v10` });
  };
  return [s("path", { class: `whisker wide ${style}`, d: `M${scale.x(row.low)} ${y}H${scale.x(row.high)}` }), cap(row.low, -1), cap(row.high, 1), dot];
}

const zeroLine = (x, y1, y2) => s("line", { class: "zero", x1: x, x2: x, y1, y2 });

function picture(spec, width) {
  const isNarrow = width < NARROW;
  const isOwn = spec.isAroundZero;
  const widest = (key, letter) => Math.max(...spec.rows.map((row) => row[key].length)) * letter;
  const each = ROW + (isOwn ? OWN_AXIS : 0) + (isNarrow ? NAME : 0);
  const height = spec.rows.length * each + BOTTOM;
  const box = isNarrow ? { left: 22, right: width - 22 } : { left: widest("name", LETTER.name) + 14, right: width - widest("text", LETTER.value) - 22 };
  const common = isOwn ? null : stepsOf(spec.rows, false);
  const bottom = height - BOTTOM;
  const drawn = spec.rows.map((row, i) => {
    const top = i * each + (isNarrow ? NAME : 0);
    const y = top + ROW / 2;
    const steps = common ?? stepsOf([row], true);
    const scale = scaleOf(steps, box);
    const grey = row.isGrey ? " grey" : "";
    const textY = isNarrow ? i * each + 13 : y + 4;
    const [from, to] = isOwn ? [y - 6, y + 6] : [top, (i + 1) * each]; // a name above is not crossed by an axis of all rows
    return [
      steps.map((step) => s("line", { class: "grid", x1: scale.x(step), x2: scale.x(step), y1: from, y2: to })),
      s("line", { class: "grid", x1: box.left, x2: box.right, y1: y, y2: y }),
      isOwn ? names(steps, row.axis, scale, y + 20, box) : zeroLine(box.left, from, to),
      s("text", { class: `row-name${grey}`, x: 0, y: textY }, row.name),
      s("text", { class: `row-value${grey}`, x: width, y: textY, "text-anchor": "end" }, row.text),
      row.value === null ? null : interval(row, y, scale),
    ];
  });
  const under = isOwn
    ? [s("text", { x: box.left, y: height - 5 }, `← ${spec.sides[0]}`), s("text", { x: box.right, y: height - 5, "text-anchor": "end" }, `${spec.sides[1]} →`)]
    : names(common, spec.axis, scaleOf(common, box), height - 6, box);
  const cursor = s("rect", { class: "cursor", x: 0, width, height: each, visibility: "hidden" });
  const svg = s("svg", { width, height, viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true", focusable: "false" },
    cursor, isOwn ? zeroLine((box.left + box.right) / 2, 0, bottom) : null, drawn, under);
  return {
    svg, cursor,
    show: (at) => cursor.setAttribute("y", at * each),
    find: (_, y) => (y < 0 || y >= bottom ? null : Math.floor(y / each)),
    left: () => width / 2 - 150, right: () => width / 2 - 150,
  };
}

/**
 * Dots with intervals.
 *
 * spec: label, in words; rows: [{name, value, low, high, text, tip: [[name, text]], isSure, isGrey?, shape?, slot?, axis?, most?}]: a dot
 * that is not sure is hollow; without an interval low and high are null. Either `axis(value)`, common to all rows; or
 * isAroundZero with `sides`, the words for both sides of zero: each row has its own axis(value), which reaches to `most`.
 */
export function intervals(spec) {
  const isCut = (row) => ends(row).some((end) => Math.abs(end) > (row.most ?? Infinity));
  const cut = spec.rows.filter(isCut).map((row) => `${row.name} beyond ${row.axis(row.most)}`);
  const note = cut.length ? `An arrow: the interval goes on, ${cut.join(", ")}.` : null;
  const tip = (i) => ({ title: spec.rows[i].name, rows: spec.rows[i].tip });
  return readable({ ...spec, count: spec.rows.length, tip, draw: (width) => picture(spec, width) }, note);
}
