"""Take the pictures of docs/images, or with --golden those that the tests compare with: `python -m tests.page`."""

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from playwright.sync_api import Browser
from tests import warm
from tests.page import browser, company, pictures
from tests.page.browser import Visit

IMAGES = company.PROJECT / "docs" / "images"
LOGS = company.PROJECT / "tests" / "golden" / "usage"
WIDTHS = {1400: 900, 820: 1180, 390: 844}
FAST = ("--no-limiter",)
SIZES = (0.9, 0.8)  # scale and quality of a picture


def simulated(*options: str) -> Callable[[Path], object]:
    """Return what builds a simulated company."""
    return lambda folder: run("millrace", "demo", "--data-dir", str(folder), "--no-limiter", *options)


def own_logs(folder: Path) -> None:
    """Collect the logs of one developer's coding agents, and nothing else."""
    home = folder.with_name("home")
    run("simulator", "homes", "--out", str(home), "--developers", "2", "--days", "45")


def run(program: str, *arguments: str, **settings: str) -> None:
    """Run a command; stop with its last lines when it fails."""
    done = warm.run(program, *arguments, environment=os.environ | settings)
    if done.returncode not in (0, 1):
        raise SystemExit(f"{program} {' '.join(arguments)} ended with {done.returncode}:\n{done.stdout[-800:]}{done.stderr[-800:]}")
