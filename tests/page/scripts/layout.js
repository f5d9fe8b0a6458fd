// Boxes of what is seen; pieces of text that are cut or lie on each other; what is wider than the page.
() => {
  const seen = (one) => one.checkVisibility({ visibilityProperty: true }) && one.getBoundingClientRect().width > 1;
  const all = (selector, root = document) => [...root.querySelectorAll(selector)].filter(seen);
  const box = (one) => { const b = one.getBoundingClientRect(); return [b.left, b.top + scrollY, b.right, b.bottom + scrollY].map(Math.round); };
  const name = (one) => one.id || one.textContent.trim().slice(0, 40);
  const meets = ([l, t, r, b], [k, s, q, c]) => Math.min(r, q) - Math.max(l, k) > 1 && Math.min(b, c) - Math.max(t, s) > 1;
  const pairs = (list) => list.flatMap((one, i) => list.slice(i + 1).map((other) => [one, other]));
  const blocks = all('.tile, .panel, #verdict, header, .filters, footer, main h2');
  const apart = blocks.filter((one) => !one.closest('details:not([open])'));
  const overlaps = pairs(apart).filter(([one, other]) => !one.contains(other) && !other.contains(one) && meets(box(one), box(other)));
  const words = all('.plot svg').flatMap((svg) => pairs(all('text', svg)).filter(([one, other]) => meets(box(one), box(other))));
  const outside = all('.plot svg').flatMap((svg) => {
    const [left, , right] = box(svg);
    return all('text', svg).filter((one) => box(one)[0] < left - 2 || box(one)[2] > right + 2);
  });
  const cut = all('main *, header *, .filters *').filter((one) => {
    const style = getComputedStyle(one);
    if (style.overflowX === 'visible' || ['auto', 'scroll'].includes(style.overflowX) || one.closest('.hidden, select, input')) return false;
    return one.scrollWidth > one.clientWidth + 1 && !(style.textOverflow === 'ellipsis' && (one.title || one.closest('[title]')));
  });
  const beyond = all('main *').filter((one) => !one.closest('.scroll, .hidden, svg') && box(one)[2] > innerWidth + 1);
  return {
    boxes: Object.fromEntries(blocks.filter((one) => one.id).map((one) => [one.id, box(one)])),
    faults: [
      ...overlaps.map((pair) => `${pair.map(name).join(' and ')} overlap`),
      ...words.map((pair) => `the words ${pair.map(name).join(' and ')} of a chart overlap`),
      ...outside.map((one) => `“${name(one)}” is outside its chart`),
      ...cut.map((one) => `“${name(one)}” is cut`),
      ...beyond.slice(0, 3).map((one) => `“${name(one)}” is wider than the page`),
    ],
  };
}
