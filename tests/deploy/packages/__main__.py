"""Measure the packages: `python -m tests.deploy.packages` prints the size of each and how long a cold start takes.

A cold start is the time from the start of the process to its first response to an event. The first one reads the
files from the disk, if the machine had not read them lately. The fastest and the slowest of five more follow.
"""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic

from tests.deploy.packages.events import EXTRACT_REPOS, PUSH, SCHEDULED, finalized, push, settings
from tests.deploy.packages.packaging import NAMES, Package, install, size_bytes

import simulator
from emulators import snowflake
from millrace.laptop.functions import FUNCTIONS
from millrace.warehouse.snowflake.session import Address

KEY = "key_of-the-simulator"
TIMES = 5
API = "functions/api/main.py"
MB = 1_000_000


def starts(
    package: Package, command: Sequence[str], given: Mapping[str, str], body: bytes, headers: Mapping[str, str]
) -> Iterator[tuple[float, float]]:
    """Start a function several times; yield the seconds until it listens and until it has answered.

    Without a body the status is requested.
    """
    log = package.folder / "log"
    for _ in range(TIMES):
        with package.serving(command, given, log) as function:
            listening_s = monotonic() - function.started
            status = function.post(body, headers) if body else function.get("api/etl/status")[0]
            if status != 200:
                raise SystemExit(f"{command} answered {status}: {log.read_text()}")
            yield listening_s, monotonic() - function.started


def show_start(package: Package, target: str, *rest: object) -> None:
    """Print one line about a service."""
    function = FUNCTIONS.get(target)
    command = ["functions-framework", *function.arguments(package.folder)] if function else ["python", API]
    taken = list(starts(package, command, *rest))  # type: ignore[arg-type]  # given, body, headers as there
    answered = [answered_s for _, answered_s in taken]
    listening = min(listening_s for listening_s, _ in taken)
    spread = f"{min(answered):5.2f} to {max(answered):5.2f} s"
    print(f"{target:<16} first {answered[0]:5.2f} s, of {TIMES} {spread}; listens after {listening:.2f} s")  # noqa: T201


def show_imports(package: Package, *names: str) -> None:
    """Print the cost of importing the cloud clients, which a lake in a folder does not need."""
    timed = f"start = time.monotonic(); import {', '.join(names)}; print(time.monotonic() - start)"
    line = f"import functions_framework, time; {timed}"
    taken = [float(package.run("python", "-c", line).stdout) for _ in range(TIMES)]
    print(f"{package.name:<16} and {min(taken):.2f} s for {', '.join(names)}")  # noqa: T201


def main() -> None:
    """Install the packages, measure their sizes, and start them."""
    world = simulator.generate(developers=2, days=8, seed=7, end=datetime(2026, 11, 20, tzinfo=UTC))
    with (
        tempfile.TemporaryDirectory() as name,
        simulator.serve(world, key=KEY) as source,
        snowflake.serving() as snowflake_at,
    ):
        folder = Path(name)
        given = settings(folder, source.url, KEY, snowflake_at)
        address = Address.parse(given["MILLRACE_WAREHOUSE"], given["MILLRACE_SNOWFLAKE_KEY"])
        snowflake.provision(address, f"file://{folder}/lake/raw/")
        packages = {}
        for each in NAMES:
            package = packages[each] = install(each, folder / each, "--compile-bytecode")
            ours = size_bytes(package.folder) / 1000
            theirs = package.python.parents[1] / "lib"
            sources_mb, compiled_mb = (size_bytes(theirs, *suffix) / MB for suffix in ((), (".pyc",)))
            what = (
                f"source {ours:.0f} kB, installed {sources_mb - compiled_mb:.0f} MB and {compiled_mb:.0f} MB compiled"
            )
            print(f"{each:<16} {what}")  # noqa: T201
        show_start(packages["functions"], "start_run", given, b"{}", SCHEDULED)
        task = push(EXTRACT_REPOS, table="repos")
        show_start(packages["functions"], "extract_repos", given, task, PUSH)
        part = finalized(folder / "lake", "raw/repos/")
        show_start(packages["functions"], "load", given, part, PUSH)
        show_start(packages["functions"], "api", given, b"", {})
        clouds = ("google.cloud.storage", "google.cloud.pubsub_v1", "google.cloud.run_v2")
        show_imports(packages["functions"], *clouds, "snowflake.connector")


if __name__ == "__main__":
    main()
