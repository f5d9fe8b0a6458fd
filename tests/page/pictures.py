"""Pictures of the page and its layout, and how they differ from recorded ones. The browser encodes and compares.

Fonts and browsers draw the same page differently. Pictures are therefore compared only where browser and fonts are
those of the record; the layout is compared everywhere.
"""

import base64
import hashlib
import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page
from tests.page.browser import Scheme, Visit

GOLDEN = Path(__file__).parents[1] / "golden" / "pages"
RECORD = GOLDEN / "layout.json"
WIDTHS = (1400, 820, 390)
SCHEMES: tuple[Scheme, ...] = ("light", "dark")
QUERY = "?period=last_90_days"
SCALE = 0.5
QUALITY = 0.8
# A block of 8 by 8 pixels differs when its mean colour does by so much of 255: anti-aliasing and WebP stay below.
BLOCK, STEP = 8, 14
MOST_BLOCKS = 0.002
DRAWN = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"

_CODEC = """
const read = async (kind, text) => createImageBitmap(await (await fetch(`data:image/${kind};base64,${text}`)).blob());
const drawn = (picture, scale) => {
  const canvas = new OffscreenCanvas(Math.round(picture.width * scale), Math.round(picture.height * scale));
  const pen = canvas.getContext('2d', { willReadFrequently: true });
  pen.imageSmoothingQuality = 'high';
  pen.drawImage(picture, 0, 0, canvas.width, canvas.height);
  return [canvas, pen];
};
const text = async (canvas, quality) => {
  const bytes = new Uint8Array(await (await canvas.convertToBlob({ type: 'image/webp', quality })).arrayBuffer());
  let binary = '';
  for (let at = 0; at < bytes.length; at += 8192) binary += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return btoa(binary);
};
"""
_SHRINK = f"""async ([png, scale, quality]) => {{ {_CODEC}
  const [canvas] = drawn(await read('png', png), scale);
  return text(canvas, quality);
}}"""
_BLOCKS = f"""async ([golden, png, scale, size, step]) => {{ {_CODEC}
  const [one, before] = drawn(await read('webp', golden), 1);
  const [two, after] = drawn(await read('png', png), scale);
  const [width, height] = [Math.max(one.width, two.width), Math.max(one.height, two.height)];
  const [a, b] = [before, after].map((pen) => pen.getImageData(0, 0, width, height).data);
  let changed = 0;
  let first = null;
  for (let top = 0; top < height; top += size) for (let left = 0; left < width; left += size) {{
    const sums = [0, 0, 0];
    for (let y = top; y < Math.min(top + size, height); y += 1) for (let x = left; x < Math.min(left + size, width); x += 1)
      for (let c = 0; c < 3; c += 1) sums[c] += a[4 * (y * width + x) + c] - b[4 * (y * width + x) + c];
    if (Math.max(...sums.map(Math.abs)) / (size * size) > step) {{ changed += 1; first ??= [left / scale, top / scale]; }}
  }}
  return [changed / Math.ceil(width / size) / Math.ceil(height / size), first, [one.width, one.height], [two.width, two.height]];
}}"""

# Boxes of what is seen; pieces of text that are cut or lie on each other; what is wider than the page.
_LAYOUT = """() => {
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
}"""


@dataclass(frozen=True, slots=True)
class Shot:
    """The page at one width, in one scheme."""

    name: str
    width: int
    png: bytes
    boxes: dict[str, list[int]]
    faults: list[str]


def steady(visit: Visit) -> Visit:
    """Replace what differs from build to build: the instants and the reasons of the status."""
    status = visit.real("/api/etl/status")
    instants = {"as_of": "2026-11-24T11:58:00Z", "health": "live", "reasons": []}
    visit.instead("/api/etl/status", status | instants)
    return visit


def shots(visit: Visit) -> Iterator[Shot]:
    """Yield the open page at each width, light and dark."""
    page = visit.page
    page.emulate_media(reduced_motion="reduce")
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            page.evaluate(DRAWN)
            layout: dict[str, Any] = page.evaluate(_LAYOUT)
            png = page.screenshot(full_page=True, animations="disabled", caret="hide")
            yield Shot(f"{width}-{scheme}", width, png, layout["boxes"], layout["faults"])


def shrunk(tab: Page, png: bytes, scale: float = SCALE, quality: float = QUALITY) -> bytes:
    """Return a picture as WebP, smaller."""
    encoded: str = tab.evaluate(_SHRINK, [_text(png), scale, quality])
    return base64.b64decode(encoded)


def difference(tab: Page, golden: bytes, png: bytes) -> str | None:
    """Return how a picture differs from the recorded one; None when only in what nobody sees."""
    share, first, before, after = tab.evaluate(_BLOCKS, [_text(golden), _text(png), SCALE, BLOCK, STEP])
    if share <= MOST_BLOCKS:
        return None
    return f"{100 * share:.1f} % of it differs, first at {first}; size {before}, now {after} (half of the pixels)"


def environment(browser: Browser) -> dict[str, str]:
    """Return what decides how text is drawn: the browser and the fonts."""
    program = shutil.which("fc-list")
    found = subprocess.run([program, "--format", "%{file}\n"], capture_output=True, check=False) if program else None  # noqa: S603 its own path
    fonts = sorted(found.stdout.splitlines()) if found else []
    return {"browser": browser.version, "fonts": hashlib.sha256(b"\n".join(fonts)).hexdigest()[:16]}


def record(browser: Browser, visit: Visit) -> Iterator[str]:
    """Write pictures and layout of the open page; yield the name and size of each."""
    GOLDEN.mkdir(parents=True, exist_ok=True)
    boxes = {}
    with_codec = browser.new_page()
    for shot in shots(visit):
        path = GOLDEN / f"{shot.name}.webp"
        path.write_bytes(shrunk(with_codec, shot.png))
        boxes[shot.name] = shot.boxes
        yield f"{path.name} {path.stat().st_size:,} bytes{''.join(f'; {fault}' for fault in shot.faults)}"
    RECORD.write_text(json.dumps({"environment": environment(browser), "boxes": boxes}, indent=1) + "\n")


def recorded() -> dict[str, Any]:
    """Return the recorded environment and layout."""
    found: dict[str, Any] = json.loads(RECORD.read_text())
    return found


def moved(recorded_boxes: dict[str, list[int]], boxes: dict[str, list[int]]) -> list[str]:
    """Return what is in another column, of another width, or in another order than recorded.

    Heights are those of the fonts, and are not compared.
    """
    faults = [f"{name} is not there" for name in recorded_boxes.keys() - boxes.keys()]
    faults += [f"{name} is new" for name in boxes.keys() - recorded_boxes.keys()]
    for name in recorded_boxes.keys() & boxes.keys():
        (left, _, right, _), (now_left, _, now_right, _) = recorded_boxes[name], boxes[name]
        if max(abs(left - now_left), abs(right - now_right)) > 2:  # noqa: PLR2004 rounding
            faults.append(f"{name} was from {left} to {right}, and is from {now_left} to {now_right}")
    before, after = ([*sorted(found, key=lambda name: found[name][1])] for found in (recorded_boxes, boxes))
    if not faults and _rows(recorded_boxes, before) != _rows(boxes, after):
        faults.append(f"the order was {before}, and is {after}")
    return sorted(faults)


def _rows(boxes: dict[str, list[int]], order: list[str]) -> list[list[str]]:
    """Return names by column, each from the top."""
    columns = sorted({boxes[name][0] for name in order})
    return [[name for name in order if boxes[name][0] == column] for column in columns]


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()
