"""A planned deployment over the emulators: each service a process with the plan's settings, rights and subscriptions.

Beside them a process has only what the platform gives it, and the addresses of the emulators, of the simulated GitHub
and of a warehouse that is a DuckDB file: the plan's is in Snowflake.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud.storage import Client
from tests.deploy import services, sourced
from tests.deploy.packages.packaging import Package, Served, assemble
from tests.deploy.sourced import Deployment, Heard

from emulators import broker as brokers, jobs, metadata, pubsub, storage
from emulators.broker import Broker
from emulators.jobs import Jobs
from emulators.storage import Door
from millrace import runs
from millrace.bus.pubsub import PubSubBus
from millrace.lake.gcs import GcsLake

PROJECT = "acme-millrace"
LAKE, QUARANTINE = f"{PROJECT}-lake", f"{PROJECT}-quarantine"
_PATIENCE_S = 120.0


@dataclass(frozen=True, slots=True)
class Deployed:
    """The running services. `doors` has what each did to the buckets, `warehouse` the file that `load` writes."""

    found: Deployment
    folder: Path
    lake: GcsLake
    jobs: Jobs
    broker: Broker
    doors: dict[str, Door] = field(default_factory=dict)
    served: dict[str, Served] = field(default_factory=dict)

    @property
    def warehouse(self) -> Path:
        return self.folder / "millrace.duckdb"

    def call(self, service: str, at: datetime, body: bytes = b"{}") -> Any:
        """Call a service as its scheduler does; return its answer."""
        headers = services.SCHEDULED | services.token(self.found.services[service].settings)
        headers["X-CloudScheduler-ScheduleTime"] = at.isoformat()
        status, answer = self.served[service].send("POST", "", headers, body)
        assert status == 200, answer
        return json.loads(answer)

    def wait_for(self, run_id: str) -> runs.Final:
        """Wait until a run has ended, and return how; AssertionError when a message was given up meanwhile."""
        self.until(lambda: runs.read_final(self.lake, run_id) is not None)
        final = runs.read_final(self.lake, run_id)
        assert final is not None
        return final

    def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something holds; AssertionError when a message was given up meanwhile."""
        end = time.monotonic() + _PATIENCE_S
        while not condition():
            assert not self.broker.dead_letters, self.broker.dead_letters
            assert time.monotonic() < end, self.logged()
            time.sleep(0.05)

    def logged(self, message: str = "") -> list[dict[str, Any]]:
        """Return the log lines of all services, or those with a message."""
        texts = [path.read_text() for path in sorted(self.folder.glob("*.log"))]
        lines = [json.loads(line) for text in texts for line in text.splitlines() if line.startswith("{")]
        return [line for line in lines if message in ("", line["message"])]

    @property
    def refused(self) -> list[tuple[str, str, str, str]]:
        """What the services tried and have no right to: service, verb, bucket, name."""
        return sorted((name, *each) for name, door in self.doors.items() for each in door.refused)


@contextmanager
def deployed(folder: Path, more: Mapping[str, Mapping[str, str]], broker: Broker | None = None) -> Iterator[Deployed]:
    """Start the services of the recorded plan that are named, with `more` settings; connect them as it says."""
    found, started, made, names = sourced.recorded(), Jobs(), broker or Broker(), list(more)
    made.topics |= {f"projects/{PROJECT}/topics/{each.topic}": [] for each in found.heard}
    package = Package("functions", assemble("functions", folder / "app"), Path(sys.executable))
    with ExitStack() as stack:
        metadata_at = stack.enter_context(metadata.serving(PROJECT))
        bus_at = stack.enter_context(brokers.serving(made))
        job_at = stack.enter_context(jobs.serving(started))
        with pytest.MonkeyPatch.context() as patched:
            patched.setenv("PUBSUB_EMULATOR_HOST", bus_at)
            sink = storage.to_topic(PubSubBus(PROJECT))
        store = stack.enter_context(storage.stored(LAKE, QUARANTINE, sink=sink))
        options = {"api_endpoint": stack.enter_context(storage.opened(store))}
        lake = GcsLake(Client(PROJECT, AnonymousCredentials(), client_options=options), LAKE)
        running = Deployed(found, folder, lake, started, made)
        emulators = {
            "GCE_METADATA_HOST": metadata_at,
            "GCE_METADATA_IP": metadata_at,
            "PUBSUB_EMULATOR_HOST": bus_at,
        }
        for name in names:
            running.doors[name] = Door(store, partial(found.may, name))
        settings = {
            name: _settings(running, name, job_at)
            | emulators
            | {"STORAGE_EMULATOR_HOST": stack.enter_context(storage.opened(door))}
            | dict(more[name])
            for name, door in running.doors.items()
        }

        ends = {name: ExitStack() for name in names}

        def start(name: str) -> Served:
            command = services.command(found.services[name], services.image("functions")[0])
            line = [part.replace(services.ROOT, str(package.folder)) for part in command]
            return ends[name].enter_context(package.serving(line, settings[name], folder / f"{name}.log"))

        at_once = stack.enter_context(ThreadPoolExecutor(len(names)))
        stack.callback(lambda: list(at_once.map(ExitStack.close, ends.values())))
        running.served.update(zip(names, at_once.map(start, names), strict=True))
        made.at_once |= {each.url: found.at_once[name] for name, each in running.served.items()}
        pubsub.provide(bus_at, PROJECT, [_pushed(running, each) for each in found.heard if each.service in names])
        yield running


def _settings(running: Deployed, name: str, job_at: str) -> dict[str, str]:
    """Return the settings of the image and the plan, of a warehouse in a file, and of the job's emulator."""
    _, of_image = services.image("functions")
    of_plan = dict(running.found.services[name].settings)
    if "MILLRACE_WAREHOUSE" in of_plan:
        of_plan["MILLRACE_WAREHOUSE"] = f"duckdb://{running.warehouse}"
        of_plan["MILLRACE_JOB"] = of_plan["MILLRACE_JOB"].replace("run://", f"run://{job_at}")
    own = {"PATH": str(Path(sys.executable).parent), "PYTHONPATH": str(running.folder / "app")}
    return of_image | own | of_plan | {"K_SERVICE": name}


def _pushed(running: Deployed, heard: Heard) -> pubsub.Pushed:
    caller = running.found.services[heard.service].settings["MILLRACE_PUSH_ACCOUNT"]
    url = running.served[heard.service].url
    return pubsub.Pushed(heard.name, heard.topic, url, heard.filter, caller, heard.audience, heard.attempts)
