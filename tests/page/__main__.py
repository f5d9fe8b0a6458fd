"""Take the pictures of docs/images; with --golden, record those that the tests compare with: `python -m tests.page`."""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser
from tests.page import browser, company, pictures
from tests.page.browser import Visit

from millrace import config
from millrace.cli.output import say

IMAGES = company.PROJECT / "docs" / "images"
HEIGHTS = {1400: 900, 820: 1180, 390: 844}
QUALITY = 0.75


def _demo(*options: str) -> Callable[[Path], object]:
    return lambda work: company.build(work / "data", *options)


def _own_logs(work: Path) -> None:
    """Collect the logs of one developer, and nothing else: what `millrace collect` finds on a machine."""
    _run(work, "-m", "simulator", "homes", "--out", "homes", "--days", "90", "--end", company.END)
    home = max((work / "homes").iterdir(), key=_bytes)
    _run(work, "-m", "millrace", "collect", HOME=str(home), MILLRACE_COLLECT_USER="ada@example.com")


def _bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


@dataclass(frozen=True, slots=True)
class World:
    """A page of the docs: what builds its data, and what is asked of it."""

    name: str
    build: Callable[[Path], object]
    takes: str
    query: str = ""
    is_shown_whole: bool = False


WORLDS = (
    World("demo", _demo(), "half a minute", is_shown_whole=True),
    World("own-logs", _own_logs, "half a minute"),
    World("200-developers", _demo("--developers", "200"), "five minutes", "?period=last_90_days"),
    World("three-years", _demo("--days", "1095"), "two minutes", "?period=all"),
)


def _run(work: Path, *arguments: str, **settings: str) -> None:
    """Run a module in a folder, whose `data` it fills, without this process' settings of Millrace.

    Raises SystemExit with its last lines when it fails.
    """
    paths = os.pathsep.join(str(company.PROJECT / part) for part in ("src", "local"))
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("MILLRACE_", "XDG_"))}
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=work,
        env=inherited | {"PYTHONPATH": paths, "MILLRACE_DATA_DIR": str(work / "data")} | settings,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(
            f"python {' '.join(arguments)} ended with {done.returncode}:\n{(done.stdout + done.stderr)[-2000:]}"
        )


def _take(chromium: Browser, world: World, work: Path) -> None:
    """Write the pictures of a world: its first screen at each width, and the whole page of the demo."""
    codec = chromium.new_page()
    config.use({"MILLRACE_DATA_DIR": str(work / "data")})  # so that no command on the page names this folder
    with company.serving(work / "data") as url:
        for width, height in HEIGHTS.items():
            page = chromium.new_page(viewport={"width": width, "height": height}, reduced_motion="reduce")
            visit = pictures.steady(Visit(page, url)).open(world.query)
            page.evaluate(pictures.DRAWN)
            _write(f"{world.name}-{width}", pictures.shrunk(codec, page.screenshot(), 1, QUALITY))
            if world.is_shown_whole and width == max(HEIGHTS):
                _write(f"{world.name}-whole", pictures.shrunk(codec, page.screenshot(full_page=True), 0.7, QUALITY))
            for said in visit.wrong:
                say(f"  the page said: {said}")
            page.close()
    codec.close()


def _write(name: str, content: bytes) -> None:
    path = IMAGES / f"{name}.webp"
    path.write_bytes(content)
    say(f"  {path.relative_to(company.PROJECT)}: {len(content):,} bytes")


def _docs(chromium: Browser, work: Path, only: list[str]) -> None:
    """Build the worlds that are not yet in `work`, and write their pictures."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    for world in WORLDS:
        if only and world.name not in only:
            continue
        own = work / world.name
        start = time.monotonic()
        if (own / "built").exists():
            say(f"{world.name}: built before, in {own}")
        else:
            say(f"{world.name}: building, which takes {world.takes}")
            shutil.rmtree(own, ignore_errors=True)
            own.mkdir(parents=True)
            world.build(own)
            (own / "built").touch()
            say(f"{world.name}: built in {time.monotonic() - start:.0f} s")
        _take(chromium, world, own)
    say(f"docs/images: {sum(path.stat().st_size for path in IMAGES.iterdir()):,} bytes in all")


def _golden(chromium: Browser, work: Path) -> None:
    """Record the page of the tests' company."""
    data = work / "company"
    if not (data / "built").exists():
        say("the company of the tests: building, which takes half a minute")
        (company.build(data) / "built").touch()
    with company.serving(data) as url:
        visit = pictures.steady(Visit(chromium.new_page(), url)).open(pictures.QUERY)
        for said in pictures.record(chromium, visit):
            say(f"  {said}")
        visit.page.close()


def main() -> None:
    """Parse the command line, and take the pictures."""
    parser = argparse.ArgumentParser(prog="python -m tests.page", description=__doc__)
    parser.add_argument("--golden", action="store_true", help="record pictures and layout in tests/golden/pages")
    parser.add_argument("--work", type=Path, help="keep what is built here, and use what is there (default: nowhere)")
    names = [world.name for world in WORLDS]
    parser.add_argument("--only", nargs="+", choices=names, default=[], help="only these pages (default: all)")
    options = parser.parse_args()
    path = browser.executable()
    if path is None:
        raise SystemExit(f"none of {', '.join(browser.NAMES)} is on PATH; type: apt-get install chromium")
    with tempfile.TemporaryDirectory() as folder, browser.launched(path) as chromium:
        work = (options.work or Path(folder)).resolve()
        work.mkdir(parents=True, exist_ok=True)
        if options.golden:
            _golden(chromium, work)
        else:
            _docs(chromium, work, options.only)


if __name__ == "__main__":
    main()
