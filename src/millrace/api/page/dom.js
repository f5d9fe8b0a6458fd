// Elements, made without ever parsing text as markup: a name from the data is a text node, whatever it contains.

const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** An HTML element. `attributes` whose name starts with "on" are listeners; null and false leave an attribute out. */
export const h = (name, attributes = {}, ...children) => fill(document.createElement(name), attributes, children);

/** The same for SVG. */
export const s = (name, attributes = {}, ...children) =>
  fill(document.createElementNS(SVG, name), attributes, children);

/**
 * A table. A column is {name, of(row) -> text or node, number?: true, isExtra?: true (left out on a phone)}; the first column heads its row.
 * `caption` names the table for those who cannot see what is around it.
 */
export function table(caption, columns, rows, { isCaptionShown = false } = {}) {
  const classOf = (column) => [column.number ? "number" : "", column.isExtra ? "extra" : ""].filter(Boolean).join(" ") || null;
  const cell = (column, row, index) => {
    const value = column.of(row);
    const attributes = { class: classOf(column) };
    return index === 0 ? h("th", { ...attributes, scope: "row" }, value) : h("td", attributes, value);
  };
  return h(
    "table",
    {},
    h("caption", { class: isCaptionShown ? null : "hidden" }, caption),
    h("thead", {}, h("tr", {}, columns.map((c) => h("th", { scope: "col", class: classOf(c) }, c.name)))),
    h("tbody", {}, rows.map((row) => h("tr", {}, columns.map((column, index) => cell(column, row, index))))),
  );
}

/** A wide table that scrolls in itself, also by keyboard, and never the page. */
export const scrolling = (label, content) =>
  h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": `${label}: the numbers` }, content);

let made = 0;

/** Place a popover below its button, within the width of the window; it scrolls with the page. */
function place(button, box) {
  const at = button.getBoundingClientRect();
  const most = document.documentElement.clientWidth - box.offsetWidth - 8;
  box.style.left = `${Math.max(8, Math.min(at.left, most)) + scrollX}px`;
  box.style.top = `${at.bottom + scrollY + 6}px`;
}

/** A button and the box that it opens: [button, box]. The browser closes it by Escape and by a click elsewhere. */
export function popover(button, attributes, ...content) {
  const box = h("div", { id: `pop-${(made += 1)}`, popover: "auto", ...attributes, class: `pop ${attributes.class ?? ""}` }, ...content);
  button.setAttribute("popovertarget", box.id);
  button.setAttribute("aria-expanded", "false");
  box.addEventListener("toggle", (event) => {
    button.setAttribute("aria-expanded", String(event.newState === "open"));
    if (event.newState === "open") place(button, box);
  });
  return [button, box];
}
