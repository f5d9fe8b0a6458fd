// Plain SVG charts: stacked bars, lines, and dots with intervals, over days, weeks or months, with a legend, and a cursor
// by pointer and by arrow keys. Series differ in pattern, dash and marker as well as in colour. Every chart stands beside
// a table of its numbers. What is not complete is drawn hollow, under the word for it.

import { h, s } from "./dom.js";
import { dayTicks, highest, ticks } from "./scales.js";

const GAP = 62; // between two names on the x axis, at least
const TEXT = 6.3; // the width of a letter, on the safe side
const DASHES = [null, "7 3", "2 3", "9 3 2 3", "4 4", "1 2"];
const PATTERNS = 5;
let charts = 0;

function pattern(id, kind) {
  const ink = { class: "ink", fill: "none" };
  const marks = [
    null,
    s("path", { ...ink, d: "M-1 1l2-2M0 6l6-6M5 7l2-2" }),
    s("circle", { class: "ink dot", cx: 3, cy: 3, r: 1.1 }),
    s("path", { ...ink, d: "M0 3h6" }),
    s("path", { ...ink, d: "M-1 5l2 2M0 0l6 6M5-1l2 2" }),
  ];
  return s("pattern", { id, width: 6, height: 6, patternUnits: "userSpaceOnUse" }, marks[kind]);
}

const patterns = (prefix) =>
  s("defs", {}, Array.from({ length: PATTERNS - 1 }, (_, index) => pattern(`${prefix}-${index + 1}`, index + 1)));

/** One filled piece: its colour, and over it the pattern of its series; or the outline of a hollow one. */
function piece(prefix, slot, box, isHollow = false) {
  if (isHollow) {
    const inner = { x: box.x + 0.75, y: box.y + 0.75, width: Math.max(0.5, box.width - 1.5), height: Math.max(0.5, box.height - 1.5) };
    return s("rect", { ...inner, class: `hollow s${slot}` });
  }
  const kind = slot % PATTERNS;
  return [
    s("rect", { ...box, class: `fill s${slot}` }),
    kind ? s("rect", { ...box, fill: `url(#${prefix}-${kind})` }) : null,
  ];
}

/** The mark of a value: its shape is that of the series. */
export function marker(slot, x, y, r = 3, isHollow = false) {
  const shapes = [
    () => s("circle", { cx: x, cy: y, r }),
    () => s("rect", { x: x - r, y: y - r, width: 2 * r, height: 2 * r }),
    () => s("path", { d: `M${x} ${y - r - 0.5}l${r + 0.5} ${2 * r}h${-2 * r - 1}z` }),
    () => s("path", { d: `M${x} ${y - r - 1}l${r + 1} ${r + 1}l${-r - 1} ${r + 1}l${-r - 1} ${-r - 1}z` }),
  ];
  const shape = shapes[slot % shapes.length]();
  shape.setAttribute("class", `${isHollow ? "hollow" : "fill"} s${slot}`);
  return shape;
}

function swatch(kind, slot) {
  const prefix = `legend${(charts += 1)}`;
  const drawn = kind === "bars"
    ? [patterns(prefix), piece(prefix, slot, { x: 4, y: 1, width: 12, height: 10, rx: 2 })]
    : [s("path", { d: "M0 6h20", class: `line s${slot}`, "stroke-dasharray": DASHES[slot] }), marker(slot, 10, 6)];
  return s("svg", { width: 20, height: 12, viewBox: "0 0 20 12", "aria-hidden": "true" }, drawn);
}

export const legend = (kind, series) =>
  h("ul", { class: "legend" }, series.map((one) => h("li", {}, swatch(kind, one.slot), one.name)));

/** The values that are drawn: of a stack its height, of an interval also its end where it is complete. */
function drawnValues(spec) {
  if (spec.kind === "bars") return spec.keys.map((_, i) => spec.series.reduce((total, one) => total + (one.values[i] ?? 0), 0));
  return spec.series.flatMap((one) => [...one.values, ...(one.highs ?? []).filter((_, i) => !spec.hollow?.has(spec.keys[i]))]).filter((value) => value !== null);
}

function yAxis(spec, steps, box) {
  return steps.map((step) => [
    s("line", { class: step === 0 ? "base" : "grid", x1: box.left, x2: box.left + box.width, y1: box.y(step), y2: box.y(step) }),
    s("text", { x: box.left - 6, y: box.y(step) + 4, "text-anchor": "end" }, spec.axis(step)),
  ]);
}

function xAxis(spec, box) {
  const end = box.left + box.width + 8;
  return dayTicks(spec.keys, Math.max(1, Math.floor(box.width / GAP))).map(({ index, name, year }) => {
    const [x, half] = [box.x(index), (Math.max(name.length, 4) * TEXT) / 2];
    if (x + half > end + 6) return null;
    const line = (dy, text) => s("text", { x: Math.max(x, half), y: box.bottom + dy, "text-anchor": "middle" }, text);
    return [s("line", { class: "tick", x1: x, x2: x, y1: box.bottom, y2: box.bottom + 5 }), line(19, name), year ? line(32, year) : null];
  });
}

/** Runs of neighbouring hollow keys with one word: a shade behind them, and the word above. */
function hollowRuns(spec, box) {
  const runs = [];
  spec.keys.forEach((key, i) => {
    const word = spec.hollow?.get(key);
    if (word && runs.at(-1)?.word === word && runs.at(-1).last === i - 1) runs.at(-1).last = i;
    else if (word) runs.push({ word, first: i, last: i });
  });
  let free = box.left;
  return runs.map(({ word, first, last }) => {
    const [start, end] = [box.x(first) - box.step / 2, box.x(last) + box.step / 2];
    const right = runs.length > 1 && last < spec.keys.length - 1 ? box.left + box.width - 60 : box.left + box.width;
    const text = [word, word.split(":")[0]].find((one) => one.length * TEXT <= right - free) ?? "";
    const isRight = start + text.length * TEXT > right;
    free = (isRight ? right : Math.max(start, free) + text.length * TEXT) + 10;
    return [
      s("rect", { class: "unsettled", x: start, y: box.top, width: end - start, height: box.bottom - box.top }),
      s("text", { class: "word", x: isRight ? Math.min(end, right) : start, y: box.top - 5, "text-anchor": isRight ? "end" : "start" }, text),
    ];
  });
}

/** A level that the values are seen against, such as the rate of the whole range. */
function level(value, box) {
  const y = box.y(value);
  return s("line", { class: "level", x1: box.left, x2: box.left + box.width, y1: y, y2: y });
}

const clipMark = (slot, x, y, isUp) =>
  s("path", { class: `clip s${slot}`, d: isUp ? `M${x} ${y - 1}l4.5 6h-9z` : `M${x} ${y + 1}l4.5-6h-9z` });

function bars(spec, box, prefix) {
  const width = Math.max(1, Math.min(28, box.step * (box.step > 6 ? 0.72 : 0.86)));
  return spec.keys.map((key, i) => {
    let below = 0;
    const x = box.x(i) - width / 2;
    if (spec.series.length === 1 && spec.series[0].values[i] === null)
      return s("text", { class: "nothing", x: box.x(i), y: box.y(0) - 4, "text-anchor": "middle" }, "–");
    const isHollow = Boolean(spec.hollow?.has(key));
    const pieces = spec.series.map((one) => {
      const value = one.values[i];
      if (!value) return null;
      const [y, bottom] = [box.y(below + value), box.y(below)];
      below += value;
      return value > 0 ? piece(prefix, one.slot, { x, y, width, height: Math.max(0.5, bottom - y) }, isHollow) : null;
    });
    if (below > box.max) return [pieces, clipMark("cut", box.x(i), box.top, true)];
    return below < 0 ? [pieces, clipMark("cut", box.x(i), box.bottom, false)] : pieces;
  });
}

function lines(spec, box) {
  return spec.series.map((one) => {
    const isHollow = (i) => Boolean(spec.hollow?.has(spec.keys[i]));
    const paths = { sure: "", unsure: "" };
    const ends = {}; // by path: the last point that it reaches, to go on from there
    const points = [];
    const at = (i) => `${box.x(i).toFixed(1)} ${box.y(one.values[i]).toFixed(1)}`;
    one.values.forEach((value, i) => {
      if (value === null) return;
      if (i > 0 && one.values[i - 1] !== null) {
        const path = isHollow(i) || isHollow(i - 1) ? "unsure" : "sure";
        paths[path] += `${ends[path] === i - 1 ? "" : `M${at(i - 1)}`}L${at(i)}`;
        ends[path] = i;
      }
      const [low, high] = [one.lows?.[i] ?? null, one.highs?.[i] ?? null];
      if (low !== null && high !== null)
        points.push(s("path", { class: `whisker s${one.slot}`, d: `M${box.x(i).toFixed(1)} ${box.y(low).toFixed(1)}V${box.y(high).toFixed(1)}` }));
      if (high !== null && high > box.max) points.push(clipMark(one.slot, box.x(i), box.top, true));
      const isOut = value > box.max || value < 0;
      points.push(isOut ? clipMark(one.slot, box.x(i), box.y(value), value > 0) : marker(one.slot, box.x(i), box.y(value), box.step > 14 ? 3.2 : 2, isHollow(i)));
    });
    if (one.highs) return points; // a line would show noise as a way
    const main = one.isMain ? " main" : "";
    return [
      s("path", { d: paths.unsure || null, class: `line unsure s${one.slot}${main}`, "stroke-dasharray": "1 4" }),
      s("path", { d: paths.sure || null, class: `line s${one.slot}${main}`, "stroke-dasharray": DASHES[one.slot] }),
      points,
    ];
  });
}

function picture(spec, width) {
  const prefix = `chart${(charts += 1)}`;
  const steps = spec.steps;
  const height = spec.height ?? (spec.isSmall ? 124 : 250);
  const left = 12 + Math.max(...steps.map((step) => spec.axis(step).length)) * 6.6;
  const box = { left, width: width - left - 10, top: spec.hollow?.size ? 24 : 10, bottom: height - 37, max: steps.at(-1) };
  box.step = box.width / spec.keys.length;
  box.x = (i) => box.left + (i + 0.5) * box.step;
  box.y = (value) => box.bottom - (Math.max(0, Math.min(value, box.max)) / box.max) * (box.bottom - box.top);
  const cursor = s("rect", { class: "cursor", y: box.top, height: box.bottom - box.top, width: Math.max(2, box.step), visibility: "hidden" });
  const svg = s(
    "svg",
    { width, height, viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true", focusable: "false" },
    patterns(prefix), hollowRuns(spec, box), cursor, yAxis(spec, steps, box), xAxis(spec, box),
    (spec.level ?? null) === null ? null : level(spec.level, box), spec.kind === "bars" ? bars(spec, box, prefix) : lines(spec, box),
  );
  const show = (at) => cursor.setAttribute("x", box.x(at) - box.step / 2);
  const find = (x) => (x < box.left || x > box.left + box.width ? null : Math.floor((x - box.left) / box.step));
  return { svg, cursor, show, find, right: (at) => box.x(at) + box.step / 2, left: (at) => box.x(at) - box.step / 2 };
}

/** The sentence about values and intervals that the axis does not reach; null when it reaches all. */
function clipNote(spec, max) {
  const values = drawnValues({ ...spec, series: spec.series.map((one) => ({ ...one, highs: undefined })) });
  const above = values.filter((value) => value > max);
  const cut = spec.series.flatMap((one) => one.highs ?? []).filter((high) => high > max);
  const below = values.filter((value) => value < 0);
  const beyond = [
    above.length ? `${above.length === 1 ? "one value is" : `${above.length} values are`} above it, up to ${spec.axis(Math.max(...above))}` : null,
    cut.length ? `${cut.length === 1 ? "one interval goes" : `${cut.length} intervals go`} on above it, up to ${spec.axis(Math.max(...cut))}` : null,
  ].filter(Boolean);
  const said = [
    beyond.length ? `the axis ends at ${spec.axis(max)}, and ${beyond.join(", and ")}` : null,
    below.length ? `${below.length === 1 ? "one value is" : `${below.length} values are`} below zero, down to ${spec.axis(Math.min(...below))}` : null,
  ].filter(Boolean);
  return said.length ? `Cut, with a triangle: ${said.join("; ")}.` : null;
}

/**
 * A chart over days, weeks or months in an element of its own, redrawn when its width changes.
 *
 * spec: kind "bars" (stacked) or "lines"; label: what it shows, in words; keys: the first day of each bucket;
 * axis(value): a value on the axis; series: [{name, slot, values: [number|null], lows?, highs?, isMain?}]: with `lows`
 * and `highs` the values are dots with intervals; level?: a value to see them against; hollow?: Map of a key to the word why it is not like the others; isSmall?; height?;
 * tip(index): {title, rows: [[name, text]]}, the text at the cursor.
 */
export function chart(spec) {
  const max = highest(drawnValues(spec));
  const steps = ticks(0, max, spec.isSmall || spec.height < 150 ? 2 : 4);
  const note = clipNote(spec, steps.at(-1));
  const tip = (i) => {
    const { title, rows } = spec.tip(i);
    const word = spec.hollow?.get(spec.keys[i]);
    return { title: word ? `${title} (${word})` : title, rows };
  };
  return readable({ ...spec, tip, count: spec.keys.length, draw: (width) => picture({ ...spec, steps }, width) }, note);
}

const MOVES = {
  ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1, PageDown: 7, PageUp: -7, Home: -Infinity, End: Infinity,
};

/**
 * A picture that is read by pointer and by keys: `draw(width)` returns its {svg, cursor, show(at), find(x, y), left(at), right(at)},
 * `count` is the number of its places, `tip(at)` the text at one.
 */
export function readable(spec, note = null) {
  const plot = h("div", {
    class: "plot", role: "img", tabindex: "0", "aria-label": `${spec.label} Arrow keys read it; the table below has its numbers.`,
  });
  const tip = h("div", { class: "tip", role: "status", hidden: true });
  const host = h("div", { class: "chart" }, plot, tip, note ? h("p", { class: "note" }, note) : null);
  let drawn = null;
  let at = null;

  function point(index) {
    at = index === null ? null : Math.max(0, Math.min(spec.count - 1, index));
    tip.hidden = at === null;
    drawn?.cursor.setAttribute("visibility", at === null ? "hidden" : "visible");
    if (at === null || !drawn) return;
    const { title, rows } = spec.tip(at);
    drawn.show(at);
    tip.replaceChildren(h("strong", {}, title), h("dl", {}, rows.map(([key, text]) => h("div", {}, h("dt", {}, key), h("dd", {}, text)))));
    const isRight = drawn.left(at) + drawn.right(at) > plot.clientWidth;
    tip.style.left = isRight ? "auto" : `${drawn.right(at) + 8}px`;
    tip.style.right = isRight ? `${plot.clientWidth - drawn.left(at) + 8}px` : "auto";
  }

  function draw(width) {
    if (width < 60 || drawn?.width === width) return;
    drawn = { ...spec.draw(width), width };
    plot.replaceChildren(drawn.svg);
    if (at !== null) point(at);
  }

  plot.addEventListener("keydown", (event) => {
    if (event.key === "Escape") return point(null);
    if (!(event.key in MOVES)) return;
    event.preventDefault();
    const first = MOVES[event.key] > 0 ? -1 : spec.count;
    point((at ?? first) + MOVES[event.key]);
  });
  plot.addEventListener("blur", () => point(null));
  plot.addEventListener("pointerleave", () => point(null));
  for (const kind of ["pointermove", "pointerdown"])
    plot.addEventListener(kind, (event) => {
      const corner = plot.getBoundingClientRect();
      point(drawn?.find(event.clientX - corner.left, event.clientY - corner.top) ?? null);
    });
  new ResizeObserver(([entry]) => draw(Math.floor(entry.contentRect.width))).observe(plot);
  host.draw = () => draw(plot.clientWidth);
  return host;
}

const PAPER = 718; // CSS pixels between the margins of a page of A4

/** Draws all charts for paper: laid out by the rules for print, in the width of a page. */
function drawForPrint() {
  const sheet = document.querySelector("link[media=print]");
  if (!sheet) return;
  sheet.media = "all";
  document.body.style.width = `${PAPER}px`;
  drawAll();
  document.body.style.width = "";
  sheet.media = "print";
}

const drawAll = () => document.querySelectorAll(".chart").forEach((one) => one.draw?.());
addEventListener("beforeprint", drawForPrint);
addEventListener("afterprint", drawAll);

/** A bar as long as its share of the longest, for a cell of a table. */
export function shareBar(share, slot = 0) {
  const width = Math.max(0, Math.min(1, share ?? 0)) * 100;
  const box = { x: 0, y: 0, height: 8, rx: 2 };
  return s("svg", { class: "share", width: "100%", height: 8, "aria-hidden": "true" },
    s("rect", { ...box, width: "100%", class: "track" }), width > 0 ? s("rect", { ...box, width: `${Math.max(width, 0.8)}%`, class: `fill s${slot}` }) : null);
}
