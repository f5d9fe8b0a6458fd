"""A plan with two sources of GitHub beside that of source_url: its services, who may what, and what each hears.

`sourced.json` is the record of the plan that was made last, for tests that cannot wait for Terraform.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.deploy import services
from tests.deploy.services import Service
from tests.deploy.terraform.rules import StorageRight, resources, storage_rights, who

from millrace.bus import EXTRACT_EVENTS, EXTRACT_REQUESTS, OBJECT_EVENTS

RECORDED = Path(__file__).with_name("sourced.json")
# A plan does not know the topic of a subscription, only the key in `subscriptions` of its service.
_TOPICS = {"requests": EXTRACT_REQUESTS, "parent": EXTRACT_EVENTS, "objects": OBJECT_EVENTS}


@dataclass(frozen=True, slots=True)
class Heard:
    """A push subscription of a service: the messages of `topic` that pass `filter` ("": all), `attempts` times."""

    name: str
    service: str
    topic: str
    filter: str
    attempts: int
    audience: str


@dataclass(frozen=True, slots=True)
class Deployment:
    """What a plan deploys. `at_once`: requests that a service handles at the same time, in all of its instances."""

    services: dict[str, Service]
    at_once: dict[str, int]
    heard: tuple[Heard, ...]
    rights: dict[str, tuple[StorageRight, ...]]

    def may(self, service: str, verb: str, bucket: str, name: str) -> bool:
        """Return whether a service's account may create, get, list or delete an object of a bucket."""
        return any(right.allows(verb, bucket.rpartition("-")[2], name) for right in self.rights[service])


def deployment(plan: Mapping[str, Any]) -> Deployment:
    """Return what a plan deploys."""
    planned = {who(address): each for address, each in resources(dict(plan), "google_cloud_run_v2_service")}
    named = {deployable: each["name"] for deployable, each in planned.items()}
    at_once = {
        each["name"]: each["template"][0]["scaling"][0]["max_instance_count"]
        * each["template"][0]["max_instance_request_concurrency"]
        for each in planned.values()
    }
    heard = [
        Heard(
            name=each["name"],
            service=named[who(address)],
            topic=_TOPICS[re.findall(r'\["([^"]*)"\]', address)[-1]],
            filter=each["filter"] or "",
            attempts=each["dead_letter_policy"][0]["max_delivery_attempts"],
            audience=each["push_config"][0]["oidc_token"][0]["audience"],
        )
        for address, each in resources(dict(plan), "google_pubsub_subscription")
        if each["push_config"]
    ]
    rights = storage_rights(dict(plan))
    of_each = {name: tuple(each for each in rights if each.who == deployable) for deployable, name in named.items()}
    return Deployment(services.services(plan), at_once, tuple(heard), of_each)


def record(plan: Mapping[str, Any]) -> str:
    """Return what a plan deploys as the text of the record."""
    return json.dumps(asdict(deployment(plan)), indent=1, sort_keys=True) + "\n"


def recorded() -> Deployment:
    """Return what the plan deployed that was recorded last."""
    held = json.loads(RECORDED.read_text())
    return Deployment(
        {
            name: Service(name, tuple(each["command"]), tuple(each["arguments"]), each["settings"])
            for name, each in held["services"].items()
        },
        held["at_once"],
        tuple(Heard(**each) for each in held["heard"]),
        {name: tuple(StorageRight(**each) for each in some) for name, some in held["rights"].items()},
    )
