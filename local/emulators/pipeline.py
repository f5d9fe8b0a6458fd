"""The pipeline as deployed, but without the cloud: every function a process, wired by URLs over real sockets.

The storage emulator announces each object to the topic of object events; topics push to the functions; the load
function starts the job by Cloud Run's interface, where an emulator records the request. The warehouse is DuckDB, which
only one process may write: the load function during the run, this one (as the job) afterwards.
"""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from emulators import broker as brokers, jobs, pubsub, storage
from emulators.broker import Broker
from emulators.jobs import Jobs
from millrace import wiring
from millrace.bus import EXTRACT_EVENTS, EXTRACT_REQUESTS, OBJECT_EVENTS
from millrace.config import LoadConfig
from millrace.errors import ConfigError, TransientError
from millrace.lake import Lake
from millrace.laptop import in_process
from millrace.laptop.data_dir import DataDir
from millrace.laptop.functions import EXTRACT, LOAD, START_RUN, Function
from millrace.laptop.progress import ProgressLog
from millrace.laptop.project import PROJECT
from millrace.laptop.report import Report
from millrace.laptop.run import RunOptions
from millrace.load import sweep
from millrace.load.sweep import SweepTimeouts
from millrace.runs import reconcile
from millrace.tables import endpoints_of

_NAME = "emulated"
_JOB = f"projects/{_NAME}/locations/here/jobs/dbt-runner"
_START_S = 600.0
_SILENCE_S = 600.0  # a run fails after so long without a new object


@dataclass(frozen=True, slots=True)
class Emulated:
    """The running pipeline. `broker` is None where Google's own emulator delivers."""

    lake: Lake
    jobs: Jobs
    broker: Broker | None
    start_url: str
    functions: ExitStack

    def stop_functions(self) -> None:
        """Stop the functions' processes, which finish what they have begun. Lake and topics stay."""
        self.functions.close()

    def start_run(self, body: bytes) -> str:
        """Start a run as the scheduler does; return its run_id."""
        headers = {
            "X-CloudScheduler-ScheduleTime": datetime.now(UTC).isoformat(),
            "Content-Type": "application/json",
        }
        request = urllib.request.Request(self.start_url, body, headers)  # noqa: S310 our own function
        try:
            with urllib.request.urlopen(request, timeout=_START_S) as answer:  # noqa: S310
                return str(json.load(answer)["run_id"])
        except urllib.error.HTTPError as error:
            raise ConfigError(f"the run could not be started: {error.read().decode(errors='replace')}") from error

    def wait_for(self, run_id: str) -> list[str]:
        """Wait until the run has requested its build; return the messages that the broker gave up on."""
        objects, changed_at = 0, time.monotonic()
        while not self.jobs.wait_for(run_id, 1.0) and not self._given_up():
            now = sum(1 for _ in self.lake.list(""))
            if now != objects:
                objects, changed_at = now, time.monotonic()
            elif time.monotonic() - changed_at > _SILENCE_S:
                raise TransientError(f"run {run_id}: no object was written for {_SILENCE_S:.0f} s")
        return self._given_up()

    def _given_up(self) -> list[str]:
        return [f"{dead.subscription}: {dead.reason}" for dead in self.broker.dead_letters] if self.broker else []


@contextmanager
def emulated(
    place: DataDir, settings: dict[str, str], say: Callable[[str], None], broker: Broker | None = None
) -> Iterator[Emulated]:
    """Start everything, put the addresses into the settings, and stop it at the end.

    Without `broker`, Google's emulator delivers the messages where it is installed, else a new `Broker`.
    """
    settings |= {
        "GOOGLE_CLOUD_PROJECT": _NAME,
        "MILLRACE_LAKE": "gs://lake",
        "MILLRACE_QUARANTINE": "gs://quarantine",
        "MILLRACE_BUS": f"pubsub:///projects/{_NAME}",
    }
    with ExitStack() as stack:
        archive = None if broker else pubsub.find_emulator()
        made = None if archive else broker or Broker()
        address = stack.enter_context(pubsub.emulator(archive) if archive else brokers.serving(made or Broker()))
        say("Pub/Sub is " + ("Google's emulator" if archive else "our broker"))
        settings["PUBSUB_EMULATOR_HOST"] = address
        os.environ.update(settings)
        topic = storage.to_topic(wiring.bus_at(settings["MILLRACE_BUS"]))
        url = stack.enter_context(
            storage.storage_emulator("lake", "quarantine", folder=place.root / "buckets", sink=topic)
        )
        started = Jobs()
        settings["STORAGE_EMULATOR_HOST"] = url
        settings["MILLRACE_JOB"] = f"run://{stack.enter_context(jobs.serving(started))}/{_JOB}"
        os.environ.update(settings)
        functions = stack.enter_context(ExitStack())
        targets = {"start_run": START_RUN, "load": LOAD, **EXTRACT}
        urls = {name: functions.enter_context(_served(target, settings)) for name, target in targets.items()}
        for each in urls.values():
            _await(each)
        pubsub.provide(address, _NAME, list(_subscriptions(urls)))
        yield Emulated(wiring.lake_at(settings["MILLRACE_LAKE"]), started, made, urls["start_run"], functions)


def _subscriptions(urls: Mapping[str, str]) -> Iterator[pubsub.Pushed]:
    """Yield Terraform's subscriptions: the requests of each endpoint, its parent's completions, and bucket events."""
    yield pubsub.Pushed("load", OBJECT_EVENTS, urls["load"])
    for each in endpoints_of("cursor-sim"):
        url = urls[each.name]
        yield pubsub.Pushed(f"extract-{each.name}", EXTRACT_REQUESTS, url, f'attributes.table = "{each.name}"')
        if each.parent:
            after = f'attributes.table = "{each.parent}"'
            yield pubsub.Pushed(f"extract-{each.name}-after-{each.parent}", EXTRACT_EVENTS, url, after)


@contextmanager
def _served(function: Function, settings: Mapping[str, str]) -> Iterator[str]:
    """Serve a function by functions-framework, as its own process; yield its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "functions_framework", *function.arguments(), "--host=127.0.0.1", f"--port={port}"]
    paths = os.pathsep.join(str(PROJECT / each) for each in ("src", "local"))
    log = Path(settings["MILLRACE_DBT_TARGET_DIR"]).parent / f"{function.target}.log"
    with (
        log.open("w") as lines,
        subprocess.Popen(  # noqa: S603 our own function
            command, env=os.environ | settings | {"PYTHONPATH": paths}, stdout=lines, stderr=lines
        ) as process,
    ):
        try:
            yield f"http://127.0.0.1:{port}/"
        finally:
            process.terminate()


def _await(url: str) -> None:
    port = int(url.rstrip("/").rpartition(":")[2])
    until = time.monotonic() + _START_S
    while time.monotonic() < until:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise ConfigError(f"the function at {url} did not start; its log is in the data directory")


@dataclass(frozen=True, slots=True)
class Emulators:
    """The functions as processes, over emulators of Google's services; `broker` as in `emulated`."""

    broker: Broker | None = None
    folder: str = "emulated"

    def load(
        self, stack: ExitStack, options: RunOptions, settings: dict[str, str], watcher: ProgressLog, report: Report
    ) -> None:
        """Extract and load what the options request; write the outcome to `report`."""
        if options.drops:
            raise ConfigError("--drops with --emulators: files are dropped into the folder of a plain run")
        started = time.monotonic()
        running = stack.enter_context(emulated(report.data_dir, settings, watcher.say, self.broker))
        report.seconds["emulators"] = time.monotonic() - started
        load = LoadConfig.from_env()
        warehouse = wiring.duckdb_at(load.warehouse, load.memory)
        stack.callback(warehouse.close)
        warehouse.ensure_tables()
        in_process.probe_source(options.source)
        bus = wiring.bus_at(settings["MILLRACE_BUS"])
        sweep.sweep(running.lake, bus, warehouse, datetime.now(UTC), SweepTimeouts(quiet=timedelta(0)))
        warehouse.close()  # while the functions run, only the load function may write it
        report.run_id = running.start_run(_order(options))
        watcher.say(f"run {report.run_id} from {settings['MILLRACE_SOURCE_URL']}")
        report.problems += running.wait_for(report.run_id)
        running.stop_functions()
        report.seconds["run"] = time.monotonic() - started - report.seconds["emulators"]
        report.tables = reconcile.reconcile(running.lake, warehouse, report.run_id)
        missing = reconcile.unfinished(running.lake, report.run_id)
        if missing:
            report.problems.append(f"the run ended without {', '.join(missing)}")


def _order(options: RunOptions) -> bytes:
    since = {"since": str(options.since)} if options.since else {}
    return json.dumps({"full_refresh": options.full_refresh} | since).encode()
