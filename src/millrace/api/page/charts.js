// Plain SVG charts: stacked bars and lines over days or weeks, with a legend, a cursor by pointer and by arrow keys.
// Series differ in pattern, dash and marker as well as in colour. Every chart stands beside a table of its numbers.

import { h, s } from "./dom.js";

const GAP = 64; // between two labels of the x axis, at least
const TICKS = 4;
const DASHES = [null, "7 3", "2 3", "9 3 2 3", "4 4", "1 2"];
const PATTERNS = 5;
let charts = 0;

/** Round steps from 0, or below it, to at least `max`. */
export function ticks(min, max, count = TICKS) {
  const span = Math.max(max, 0) - Math.min(min, 0) || 1;
  const raw = span / count;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= raw * 0.999);
  const first = Math.floor(Math.min(min, 0) / step);
  const last = Math.ceil(Math.max(max, 0) / step) || 1;
  return Array.from({ length: last - first + 1 }, (_, index) => Number(((first + index) * step).toPrecision(12)));
}

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

/** One filled piece: its colour, and over it the pattern of its series. */
function piece(prefix, slot, box) {
  const kind = slot % PATTERNS;
  return [
    s("rect", { ...box, class: `fill s${slot}` }),
    kind ? s("rect", { ...box, fill: `url(#${prefix}-${kind})` }) : null,
  ];
}

function marker(slot, x, y, r = 3) {
  const shapes = [
    () => s("circle", { cx: x, cy: y, r }),
    () => s("rect", { x: x - r, y: y - r, width: 2 * r, height: 2 * r }),
    () => s("path", { d: `M${x} ${y - r - 0.5}l${r + 0.5} ${2 * r}h${-2 * r - 1}z` }),
    () => s("path", { d: `M${x} ${y - r - 1}l${r + 1} ${r + 1}l${-r - 1} ${r + 1}l${-r - 1} ${-r - 1}z` }),
  ];
  const shape = shapes[slot % shapes.length]();
  shape.setAttribute("class", `fill s${slot}`);
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

function scaleOf(spec) {
  const values = spec.kind === "bars"
    ? spec.keys.map((_, i) => spec.series.reduce((total, one) => total + (one.values[i] ?? 0), 0))
    : spec.series.flatMap((one) => one.values.filter((value) => value !== null));
  return ticks(Math.min(0, ...values), Math.max(0, ...values), spec.isSmall ? 2 : TICKS);
}

function axes(spec, steps, box) {
  const every = Math.max(1, Math.ceil((GAP * spec.keys.length) / box.width));
  const lines = steps.map((step) => [
    s("line", { class: step === 0 ? "base" : "grid", x1: box.left, x2: box.left + box.width, y1: box.y(step), y2: box.y(step) }),
    s("text", { x: box.left - 6, y: box.y(step) + 4, "text-anchor": "end" }, spec.axis(step)),
  ]);
  const names = spec.keys.map((key, i) =>
    i % every === 0 && box.x(i) + 20 < box.left + box.width + 10
      ? s("text", { x: box.x(i), y: box.bottom + 16, "text-anchor": "middle" }, spec.name(key))
      : null);
  return [lines, names];
}

function bars(spec, box, prefix) {
  const width = Math.max(1, Math.min(28, box.step * (box.step > 6 ? 0.72 : 0.86)));
  return spec.keys.map((_, i) => {
    let below = 0;
    const x = box.x(i) - width / 2;
    if (spec.series.length === 1 && spec.series[0].values[i] === null)
      return s("text", { class: "nothing", x: box.x(i), y: box.y(0) - 4, "text-anchor": "middle" }, "–");
    return spec.series.map((one) => {
      const value = one.values[i];
      if (!value) return null;
      const [y, bottom] = [box.y(below + value), box.y(below)];
      below += value;
      return piece(prefix, one.slot, { x, y, width, height: Math.max(0.5, bottom - y) });
    });
  });
}

function lines(spec, box) {
  return spec.series.map((one) => {
    let path = "";
    let isDrawing = false;
    const points = [];
    one.values.forEach((value, i) => {
      if (value !== null) {
        path += `${isDrawing ? "L" : "M"}${box.x(i).toFixed(1)} ${box.y(value).toFixed(1)}`;
        points.push(marker(one.slot, box.x(i), box.y(value), box.step > 14 ? 3 : 1.6));
      }
      isDrawing = value !== null;
    });
    const stroke = s("path", { d: path || null, class: `line s${one.slot}${one.isMain ? " main" : ""}`, "stroke-dasharray": DASHES[one.slot] });
    return [stroke, points];
  });
}

function picture(spec, width) {
  const prefix = `chart${(charts += 1)}`;
  const steps = scaleOf(spec);
  const height = spec.isSmall ? 110 : 240;
  const left = 12 + Math.max(...steps.map((step) => spec.axis(step).length)) * 6.6;
  const box = { left, width: width - left - 8, top: 10, bottom: height - 24 };
  box.step = box.width / spec.keys.length;
  box.x = (i) => box.left + (i + 0.5) * box.step;
  box.y = (value) => box.bottom - ((value - steps[0]) / (steps.at(-1) - steps[0])) * (box.bottom - box.top);
  const cursor = s("rect", { class: "cursor", y: box.top, height: box.bottom - box.top, width: Math.max(2, box.step), visibility: "hidden" });
  const svg = s(
    "svg",
    { width, height, viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true", focusable: "false" },
    patterns(prefix), cursor, axes(spec, steps, box), spec.kind === "bars" ? bars(spec, box, prefix) : lines(spec, box),
  );
  return { svg, box, cursor };
}

/**
 * A chart in an element of its own, redrawn when its width changes.
 *
 * spec: kind "bars" (stacked) or "lines"; label: what it shows, in words; keys: days or weeks; name(key): for the axis;
 * axis(value): a value on the axis; series: [{name, slot, values: [number|null], isMain?}]; isSmall?;
 * tip(index): {title, rows: [[name, text]]}, the text at the cursor.
 */
export function chart(spec) {
  const plot = h("div", {
    class: "plot", role: "img", tabindex: "0", "aria-label": `${spec.label} Arrow keys read it; the table below has its numbers.`,
  });
  const tip = h("div", { class: "tip", role: "status", hidden: true });
  const host = h("div", { class: "chart" }, plot, tip);
  let drawn = null;
  let at = null;

  function point(index) {
    at = index === null ? null : Math.max(0, Math.min(spec.keys.length - 1, index));
    tip.hidden = at === null;
    drawn?.cursor.setAttribute("visibility", at === null ? "hidden" : "visible");
    if (at === null || !drawn) return;
    const { title, rows } = spec.tip(at);
    drawn.cursor.setAttribute("x", drawn.box.x(at) - drawn.box.step / 2);
    tip.replaceChildren(h("strong", {}, title), h("dl", {}, rows.map(([key, text]) => h("div", {}, h("dt", {}, key), h("dd", {}, text)))));
    const isRight = drawn.box.x(at) > plot.clientWidth / 2;
    tip.style.left = isRight ? "auto" : `${drawn.box.x(at) + drawn.box.step / 2 + 8}px`;
    tip.style.right = isRight ? `${plot.clientWidth - drawn.box.x(at) + drawn.box.step / 2 + 8}px` : "auto";
  }

  function draw(width) {
    if (width < 60 || drawn?.width === width) return;
    drawn = { ...picture(spec, width), width };
    plot.replaceChildren(drawn.svg);
    if (at !== null) point(at);
  }

  const moves = { ArrowRight: 1, ArrowLeft: -1, PageDown: 7, PageUp: -7, Home: -Infinity, End: Infinity };
  plot.addEventListener("keydown", (event) => {
    if (event.key === "Escape") return point(null);
    if (!(event.key in moves)) return;
    event.preventDefault();
    const first = moves[event.key] > 0 ? -1 : spec.keys.length;
    point((at ?? first) + moves[event.key]);
  });
  plot.addEventListener("blur", () => point(null));
  plot.addEventListener("pointerleave", () => point(null));
  for (const kind of ["pointermove", "pointerdown"])
    plot.addEventListener(kind, (event) => {
      if (!drawn) return;
      const x = event.clientX - plot.getBoundingClientRect().left - drawn.box.left;
      point(x < 0 || x > drawn.box.width ? null : Math.floor(x / drawn.box.step));
    });
  new ResizeObserver(([entry]) => draw(Math.floor(entry.contentRect.width))).observe(plot);
  return host;
}

/** A bar as long as its share of the longest, for a cell of a table. */
export function shareBar(share, slot = 0) {
  const width = Math.max(0, Math.min(1, share ?? 0)) * 100;
  const box = { x: 0, y: 0, height: 8, rx: 2 };
  return s("svg", { class: "share", width: "100%", height: 8, "aria-hidden": "true" },
    s("rect", { ...box, width: "100%", class: "track" }), width > 0 ? s("rect", { ...box, width: `${Math.max(width, 0.8)}%`, class: `fill s${slot}` }) : null);
}
