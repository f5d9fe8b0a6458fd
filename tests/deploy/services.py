"""The services of a plan as Cloud Run starts them, and what the platform sends to each.

A process gets the image's entry point and settings, and the plan's arguments and settings. Added here is what the
platform adds (PORT and K_SERVICE) and where the emulators are.
"""

import base64
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.deploy.terraform.rules import resources

from emulators import broker, metadata, storage, tokens
from emulators.broker import Broker
from millrace.bus import EXTRACT_EVENTS, EXTRACT_REQUESTS, OBJECT_EVENTS
from millrace.laptop.functions import FUNCTIONS
from millrace.tables import ENDPOINTS

PROJECT = Path(__file__).resolve().parents[2]
RECORDED = Path(__file__).with_name("services.json")
DOCKERFILE = PROJECT / "jobs" / "dbt-runner" / "Dockerfile"
ROOT = "/app"
_OF_SOURCE = {
    "extract_github_repos": "repos",
    "extract_github_pull_requests": "pulls",
    "extract_github_commits": "commits",
}
NAMES = (
    *(f"gh-acme-{_OF_SOURCE[target]}" if target in _OF_SOURCE else target.replace("_", "-") for target in FUNCTIONS),
    "gh-acme-start",
    "api",
)
RUN = "20200101T000000Z"  # it has no plan
SCHEDULED = {
    "Content-Type": "application/json",
    "User-Agent": "Google-Cloud-Scheduler",
    "X-CloudScheduler": "true",
    "X-CloudScheduler-ScheduleTime": "2026-11-20T06:00:00Z",
}
# Values that a plan does not know: of accounts that are not made yet, of times, and of secrets.
_LATER = {
    "MILLRACE_GITHUB_APP_KEY": "key_of-the-app",
    "MILLRACE_PUSH_ACCOUNT": "caller@acme-millrace.iam.gserviceaccount.com",
    "MILLRACE_SINCE": "2026-11-01T00:00:00Z",
    "MILLRACE_SOURCE_KEY": "key_of-the-source",
}


@dataclass(frozen=True, slots=True)
class Service:
    """What a plan says of a service's container: an empty command is the image's entry point."""

    name: str
    command: tuple[str, ...]
    arguments: tuple[str, ...]
    settings: dict[str, str]


@dataclass(frozen=True, slots=True)
class Request:
    """A request of the platform, and the answer that only the service's handler has."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    status: int
    says: str


def services(plan: Mapping[str, Any]) -> dict[str, Service]:
    """Return the services of a plan by name; KeyError for an unknown value that is not in _LATER."""
    found = {}
    for _, planned in resources(dict(plan), "google_cloud_run_v2_service"):
        (container,) = planned["template"][0]["containers"]
        given = {each["name"]: each.get("value") for each in container.get("env") or ()}
        settings = {name: _LATER[name] if value is None else value for name, value in given.items()}
        command, arguments = (tuple(container.get(part) or ()) for part in ("command", "args"))
        found[planned["name"]] = Service(planned["name"], command, arguments, settings)
    return found


def recorded() -> dict[str, Service]:
    """Return the services of the plan that was recorded last (services.json)."""
    return {
        name: Service(name, tuple(each["command"]), tuple(each["arguments"]), each["settings"])
        for name, each in json.loads(RECORDED.read_text()).items()
    }


def record(plan: Mapping[str, Any]) -> str:
    """Return the services of a plan as the text of the record."""
    found = {name: asdict(each) for name, each in sorted(services(plan).items())}
    return json.dumps(found, indent=1, sort_keys=True) + "\n"


def image(stage: str) -> tuple[list[str], dict[str, str]]:
    """Return the entry point and the settings of the image that a stage of the Dockerfile makes."""
    entry_points: dict[str, list[str]] = {}
    settings: dict[str, dict[str, str]] = {}
    at = ""
    for line in re.sub(r"\\\n\s*", "", DOCKERFILE.read_text()).splitlines():
        instruction, _, rest = line.partition(" ")
        if instruction == "FROM":
            parent, _, at = rest.partition(" AS ")
            entry_points[at], settings[at] = entry_points.get(parent, []), dict(settings.get(parent, {}))
        elif instruction == "ENTRYPOINT":
            entry_points[at] = json.loads(rest)
        elif instruction == "ENV":
            settings[at] |= dict(part.split("=", 1) for part in rest.split())
    return entry_points[stage], settings[stage]


def command(service: Service, entry_point: Sequence[str]) -> list[str]:
    """Return the command line of a service in an image with this entry point."""
    return [*(service.command or entry_point), *service.arguments]


def request(service: Service) -> Request:
    """Return what the platform sends to a service; KeyError for one that no request is written for."""
    target = dict(part.removeprefix("--").split("=", 1) for part in service.arguments).get("target", service.name)
    if table := re.fullmatch(r"extract_(\w+)", target):
        account = service.settings.get("MILLRACE_ACCOUNT")
        run_id = f"{RUN}-{account}" if account else RUN
        task_id = f"{table[1]}__1" if ENDPOINTS[table[1]].per_repository else table[1]
        task = {"run_id": run_id, "table": table[1], "task_id": task_id}
        body = push(task, event="extract.requested", table=table[1], run_id=run_id)
        return _event(service, body, 500, f"run {run_id} has no plan")
    if target == "load":
        other = {"bucketId": "other", "objectId": "drop/repos/a.csv", "objectGeneration": "1"}
        return _event(service, push({}, eventType="OBJECT_FINALIZE", **other), 400, "an event of bucket 'other'")
    if target == "api":
        return Request("GET", "/", {}, b"", 200, "page/app.js")
    status, says = {
        "start_run": (200, '"run_id"'),
        "sweep": (503, "Snowflake acme-millrace as MILLRACE_SWEEPER"),
    }[target]
    return Request("POST", "/", SCHEDULED | token(service.settings), b"{}", status, says)


def push(data: Mapping[str, object], **attributes: str) -> bytes:
    """Return the body of a push as Pub/Sub sends it."""
    now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    message = {
        "attributes": attributes,
        "data": base64.b64encode(json.dumps(data).encode()).decode(),
        "messageId": "1",
        "message_id": "1",
        "publishTime": now,
        "publish_time": now,
    }
    subscription = "projects/acme-millrace/subscriptions/s"
    return json.dumps({"message": message, "subscription": subscription}).encode()


def _event(service: Service, body: bytes, status: int, says: str) -> Request:
    headers = {"Content-Type": "application/json", "User-Agent": "CloudPubSub-Google"} | token(service.settings)
    return Request("POST", "/", headers, body, status, says)


def token(settings: Mapping[str, str]) -> dict[str, str]:
    """Return the header with the token of the caller that the settings of a service permit."""
    return {"Authorization": tokens.passed_on(settings["MILLRACE_PUSH_ACCOUNT"], settings["MILLRACE_PUSH_AUDIENCE"])}


@contextmanager
def emulated(found: Mapping[str, Service]) -> Iterator[dict[str, str]]:
    """Serve the buckets and the topics of these services; yield the settings that say where the emulators are."""
    named = [value for service in found.values() for value in service.settings.values()]
    buckets = {value.removeprefix("gs://") for value in named if value.startswith("gs://")}
    buses = {re.fullmatch(r"pubsub:///(projects/[^?]+)(?:\?prefix=(.*))?", v) for v in named if v.startswith("pubsub:")}
    names = (EXTRACT_REQUESTS, EXTRACT_EVENTS, OBJECT_EVENTS)
    topics = {f"{bus[1]}/topics/{bus[2] or ''}{name}" for bus in buses if bus for name in names}
    (project,) = {service.settings["MILLRACE_PROJECT"] for service in found.values()}
    with ExitStack() as stack:
        metadata_at = stack.enter_context(metadata.serving(project))
        yield {
            "GCE_METADATA_HOST": metadata_at,
            "GCE_METADATA_IP": metadata_at,  # google-auth looks there whether there is such a server
            "PUBSUB_EMULATOR_HOST": stack.enter_context(broker.serving(Broker(topics={name: [] for name in topics}))),
            "STORAGE_EMULATOR_HOST": stack.enter_context(storage.storage_emulator(*buckets)),
        }
