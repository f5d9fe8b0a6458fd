"""Extraction against a plain download of the same pages, against the rate limiter's own bound, and its memory."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests
from requests.adapters import BaseAdapter, HTTPAdapter

from bench.measuring import Figure, best_of, stopwatch
from millrace import runs
from millrace.bus.events import TaskEvent
from millrace.bus.in_process import LocalBus
from millrace.extract import task
from millrace.extract.auth import Basic
from millrace.extract.budget import RateBudget
from millrace.extract.http_client import SourceClient
from millrace.extract.sources.cursor_sim.source import CursorSimSource
from millrace.extract.task import Extractor
from millrace.lake.local import LocalLake
from millrace.laptop.source import simulator
from millrace.runs import RunRequest, TaskRecord

KEY = "cursor-sim-dev-key"
WORLD = ("--developers=30", "--days=90", "--seed=1", "--end=2026-11-01T00:00:00Z")


class _Recording(HTTPAdapter):
    """Records the URLs of requests."""

    def __init__(self) -> None:
        super().__init__()
        self.urls: list[str] = []

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        """Record the URL, then send."""
        self.urls.append(str(request.url))
        return super().send(request, *args, **kwargs)


def _extract(url: str, folder: Path, budget: RateBudget, adapter: BaseAdapter | None = None) -> list[TaskRecord]:
    client = SourceClient(url, Basic(KEY), budget)
    if adapter is not None:
        client.session.mount(url, adapter)
    extractor = Extractor(LocalLake(folder, "lake"), LocalBus(), CursorSimSource(client))
    plan = runs.start(extractor.lake, extractor.bus, RunRequest(datetime.now(UTC)))
    names = ("repos", "commits", "pull_requests", "reviews")
    return [task.extract(extractor, TaskEvent(plan.run_id, name, name)) for name in names]


def against_download() -> list[Figure]:
    """Extract 30 developers x 90 days, and download the same pages to throw them away.

    Once from the simulator as it is, which makes a page in a fifth of a millisecond, and once with the latency of a
    remote server.
    """
    return [_against_download(latency_s) for latency_s in (0.0, 0.02)]


def _against_download(latency_s: float) -> Figure:
    with simulator([*WORLD, "--no-limiter", f"--latency-s={latency_s}"]) as url:
        recording = _Recording()
        with tempfile.TemporaryDirectory() as folder:
            records = _extract(url, Path(folder), RateBudget(None, 1), recording)

        def extract() -> float:
            with tempfile.TemporaryDirectory() as folder, stopwatch() as watch:
                _extract(url, Path(folder), RateBudget(None, 1))
            return watch.s

        def download() -> float:
            with requests.Session() as session, stopwatch() as watch:
                session.auth = (KEY, "")
                for each in recording.urls:
                    assert session.get(each, timeout=30).content  # noqa: S101 the floor must really download
            return watch.s

        floor, wall = best_of(3, download), best_of(3, extract)
    rows = sum(record.rows for record in records)
    notes = {"requests": str(len(recording.urls)), "rows": f"{rows:,}"}
    return Figure(
        "extract 30 developers x 90 days, no limiter", wall, "s", floor, "download of the same pages", 1.3, notes
    )


def against_limiter() -> Figure:
    """Extract the same through the real limiter: 100 requests at once, then 100 a minute."""
    with simulator([*WORLD, "--limiter"]) as url, tempfile.TemporaryDirectory() as folder, stopwatch() as watch:
        records = _extract(url, Path(folder), RateBudget(100, 95))
    asked = sum(record.requests for record in records)
    refused = sum(record.rate_limited for record in records)
    notes = {"requests": str(asked), "of these answered 429": str(refused)}
    return Figure(
        "extract the same through the limiter",
        watch.s,
        "s",
        (asked - 100) / (100 / 60),
        "the limiter's bound",
        1.1,
        notes,
    )


class _EndlessCommits(BaseAdapter):
    """A source of `total` commits that stores none of them: pages are made on request."""

    def __init__(self, total: int) -> None:
        super().__init__()
        self._total = total

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        """Return one page of commits."""
        query = {name: values[0] for name, values in parse_qs(urlsplit(str(request.url)).query).items()}
        size, page = int(query["pageSize"]), int(query["page"])
        items = [_commit(number) for number in range((page - 1) * size, min(page * size, self._total))]
        response = requests.Response()
        response.status_code = 200
        response.headers["Content-Type"] = "application/json"
        response.raw = BytesIO(json.dumps({"items": items, "totalCount": self._total, "page": page}).encode())
        response.url = str(request.url)
        response.request = request
        return response

    def close(self) -> None:
        """Do nothing: no connection is open."""


def _commit(number: int) -> Mapping[str, object]:
    stamp = datetime.fromtimestamp(1_750_000_000 + number * 7, UTC).isoformat().replace("+00:00", ".123456789Z")
    return {
        "commitHash": f"{number:012x}",
        "userId": f"user_{number % 997:03}",
        "userEmail": f"dev{number % 997:03}@example.com",
        "userName": f"Developer {number % 997:03}",
        "repoName": f"acme/service-{number % 41:02}",
        "branchName": f"feature/task-{number % 1000}",
        "isPrimaryBranch": number % 3 == 0,
        "totalLinesAdded": number % 700,
        "totalLinesDeleted": number % 90,
        "tabLinesAdded": number % 300,
        "tabLinesDeleted": number % 40,
        "composerLinesAdded": number % 200,
        "composerLinesDeleted": number % 30,
        "nonAiLinesAdded": number % 200,
        "nonAiLinesDeleted": number % 20,
        "message": f"feat: change number {number}",
        "commitTs": stamp,
        "createdAt": stamp,
    }


def memory_of(rows: int) -> None:
    """Extract `rows` commits in this process and print its peak memory in MB: the child of `memory`."""
    with tempfile.TemporaryDirectory() as folder:
        client = SourceClient("http://source.test", Basic(KEY))
        client.session.mount("http://source.test", _EndlessCommits(rows))
        extractor = Extractor(LocalLake(Path(folder), "lake"), LocalBus(), CursorSimSource(client))
        plan = runs.start(extractor.lake, extractor.bus, RunRequest(datetime.now(UTC)))
        record = task.extract(extractor, TaskEvent(plan.run_id, "commits", "commits"))
    assert record.rows == record.source_total == rows  # noqa: S101 the figure would be of fewer rows
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    print(int(status["VmHWM"].split()[0]) / 1024)  # noqa: T201 read by the parent


def memory() -> Figure:
    """Compare the peak memory of extracting 1,000,000 rows with that of 100,000."""
    peaks = []
    for rows in (100_000, 1_000_000):
        command = [sys.executable, "-c", f"from bench.extract import memory_of; memory_of({rows})"]
        child = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 this module
        peaks.append(float(child.stdout))
    return Figure("peak memory of extracting 1,000,000 commits", peaks[1], "MB", peaks[0], "that of 100,000", 1.3)
