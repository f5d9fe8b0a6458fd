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
SCALE = 0.4
QUALITY = 0.6
# A block of 8 by 8 pixels differs when its mean colour does by so much of 255: anti-aliasing and WebP stay below.
BLOCK, STEP = 8, 14
MOST_BLOCKS = 0.0004
DRAWN = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"

_SCRIPTS = Path(__file__).parent / "scripts"
_LAYOUT, _SHRINK, _DIFFERENCE = ((_SCRIPTS / f"{name}.js").read_text() for name in ("layout", "shrink", "difference"))


@dataclass(frozen=True, slots=True)
class Shot:
    """The page at one width, in one scheme."""

    name: str
    width: int
    png: bytes
    boxes: dict[str, list[int]]
    faults: list[str]


def steady(visit: Visit) -> Visit:
    """Replace what differs from build to build: the instant that the numbers are of."""
    visit.instead("/api/etl/status", visit.real("/api/etl/status") | {"as_of": "2026-11-24T11:58:00Z"})
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
    """Return how a picture differs from the recorded one; None when no eye sees it."""
    share, first, before, after = tab.evaluate(_DIFFERENCE, [_text(golden), _text(png), SCALE, BLOCK, STEP])
    if share <= MOST_BLOCKS:
        return None
    return f"{100 * share:.2f} % of it differs, first at {first}; size {before}, now {after} (in pixels of the record)"


def environment(browser: Browser) -> dict[str, str]:
    """Return what decides how text is drawn: the browser and the fonts."""
    program = shutil.which("fc-list")
    found = subprocess.run([program, "--format", "%{file}\n"], capture_output=True, check=False) if program else None
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
        if max(abs(left - now_left), abs(right - now_right)) > 2:
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
