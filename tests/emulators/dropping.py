"""Two files are put into the bucket, as by `gcloud storage cp`: `python -m tests.emulators.dropping DIR`.

Prints what was in quarantine, and how many builds there were, at the time when the job was started.
"""

import json
import sys
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from google.cloud import storage

from emulators.broker import Broker
from emulators.pipeline import emulated
from millrace import wiring
from millrace.config import LoadConfig
from millrace.lake import Lake
from millrace.laptop.progress import ProgressLog
from millrace.laptop.report import Report
from millrace.laptop.run import RunOptions, run
from millrace.laptop.source import SourceOptions

GOOD = "drop/usage_events/machine/usage.ndjson"
BAD = "drop/commits/bad.parquet"
EVENT = {
    "collector_id": "machine",
    "user_id": "ann@example.com",
    "agent": "claude-code",
    "session_id": "s",
    "message_id": "m",
    "request_id": "r",
    "role": "assistant",
    "occurred_at": "2026-11-20T10:00:00Z",
    "project": "shop",
    "provider": "anthropic",
    "model": "claude-sonnet-4-5",
    "input_tokens": 1000,
    "output_tokens": 200,
}
_PATIENCE_S = 120.0


class Dropping:
    """The functions over the emulators, without a run: only the two files arrive."""

    folder = "emulated"

    def load(
        self, stack: ExitStack, options: RunOptions, settings: dict[str, str], watcher: ProgressLog, report: Report
    ) -> None:
        """Put both files into the bucket, and wait until one is in quarantine and the other has started the job."""
        running = stack.enter_context(emulated(report.data_dir, settings, watcher.say, Broker()))
        load = LoadConfig.from_env()
        warehouse = wiring.duckdb_at(load.warehouse, load.memory)
        stack.callback(warehouse.close)
        warehouse.ensure_tables()
        warehouse.close()  # while the functions run, only the load function may write it
        bucket = storage.Client().bucket("lake")
        bucket.blob(BAD).upload_from_string(b"<html>502 Bad Gateway</html>")
        bucket.blob(GOOD).upload_from_string(json.dumps(EVENT))
        quarantine, until = wiring.lake_at(load.quarantine), time.monotonic() + _PATIENCE_S
        while not (running.jobs.requests and (reasons := _reasons(quarantine))):
            if time.monotonic() > until:
                raise AssertionError(f"jobs {running.jobs.requests}, nothing in quarantine")
            time.sleep(0.1)
        running.stop_functions()
        is_built = (report.data_dir.root / "published.duckdb").exists()
        print(json.dumps({"quarantined": reasons, "is_built": is_built}))  # noqa: T201 read by the test


def _reasons(quarantine: Lake) -> list[dict[str, str]]:
    names = [stored.version.name for stored in quarantine.list("quarantine/")]
    return [json.loads(quarantine.read(name)[0]) for name in names if name.endswith(".json")]


def main(folder: str) -> int:
    """Run, and return 0 if the build is good."""
    end = datetime(2026, 11, 20, tzinfo=UTC).isoformat()
    source = SourceOptions(developers=2, days=8, seed=7, end=end, usage=False)
    report = run(RunOptions(Path(folder).resolve(), source), Dropping())
    return 0 if report.build is not None and not report.problems else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
