"""The events of the pipeline: parsed from CloudEvents once, at the entry of each function, and published as messages.

An object event is accepted in both forms of the platform: a bucket's notification through Pub/Sub (attributes
`bucketId`, `objectId`, `objectGeneration`) and Eventarc's `google.cloud.storage.object.v1.finalized`.
"""

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from millrace.bus import EXTRACT_EVENTS, EXTRACT_REQUESTS, OBJECT_EVENTS, Bus
from millrace.errors import MillraceError
from millrace.lake import ObjectVersion, StoredObject
from millrace.lake.names import RUN_ID, TASK_ID, account_of

if TYPE_CHECKING:
    from cloudevents.http import CloudEvent

MESSAGE = "google.cloud.pubsub.topic.v1.messagePublished"
FINALIZED = "google.cloud.storage.object.v1.finalized"
ANNOUNCED = ("raw/", "drop/", "runs/")  # a bucket's notification covers these; others are read when needed
_MAX_ID = 128
_MAX_GENERATION = 2**63 - 1


class NotAnEvent(MillraceError):
    """The request is not an event of this function; a redelivery does not change that."""


@dataclass(frozen=True, slots=True)
class TaskEvent:
    """A task is requested (topic extract-requests) or complete (topic extract-events).

    `table` is the endpoint. `message_id` is the same for all deliveries of one message.
    """

    run_id: str
    table: str
    task_id: str
    message_id: str = field(default="", compare=False)

    @classmethod
    def of(cls, run_id: str, task_id: str) -> Self:
        """Return the event of a task."""
        return cls(run_id, task_id.partition("__")[0], task_id)

    @classmethod
    def parse(cls, event: "CloudEvent") -> Self:
        """Read a Pub/Sub message whose data is `{"run_id", "table", "task_id"}`."""
        data = _message_data(_message(event))
        run_id, table, task_id = (_text(data, name) for name in ("run_id", "table", "task_id"))
        if not re.fullmatch(RUN_ID, run_id) or not re.fullmatch(TASK_ID, task_id):
            raise NotAnEvent(
                f"run_id is {run_id!r} and task_id {task_id!r}; as in 20260131T060000Z and commits expected"
            )
        return cls(run_id, table, task_id, str(event["id"]))

    def request(self, bus: Bus) -> None:
        """Request the task."""
        self._publish(bus, EXTRACT_REQUESTS, "extract.requested")

    def complete(self, bus: Bus) -> None:
        """Announce that the task's record is written."""
        self._publish(bus, EXTRACT_EVENTS, "extract.completed")

    def _publish(self, bus: Bus, topic: str, kind: str) -> None:
        data = {"run_id": self.run_id, "table": self.table, "task_id": self.task_id}
        attributes = {"event": kind, "table": self.table, "run_id": self.run_id}
        if account := account_of(self.run_id):
            attributes["account"] = account  # the functions of an account subscribe to its own messages
        bus.publish(topic, data, attributes)


@dataclass(frozen=True, slots=True)
class ObjectFinalized:
    """One version of one object became complete; `size_bytes` where the event contains it."""

    version: ObjectVersion
    crc32c: str | None
    size_bytes: int | None = field(default=None, compare=False)

    @classmethod
    def parse(cls, event: "CloudEvent") -> Self:
        """Read an event in either form of the platform."""
        if event["type"] == FINALIZED:
            resource = _mapping(event.data, "event data")
            version = _version(resource, "bucket", "name", "generation")
            return cls(version, _optional(resource, "crc32c"), _size(resource))
        message = _message(event)
        attributes = _mapping(message.get("attributes"), "message attributes")
        if attributes.get("eventType", "OBJECT_FINALIZE") != "OBJECT_FINALIZE":
            raise NotAnEvent(f"a bucket event of type {attributes.get('eventType')!r}, not OBJECT_FINALIZE")
        version = _version(attributes, "bucketId", "objectId", "objectGeneration")
        resource = _message_data(message) if message.get("data") else {}
        return cls(version, _optional(resource, "crc32c"), _size(resource))


def announce(bus: Bus, stored: StoredObject) -> None:
    """Publish a new version as a bucket's notification does."""
    version = stored.version
    resource = {
        "kind": "storage#object",
        "bucket": version.bucket,
        "name": version.name,
        "generation": str(version.generation),
        "size": str(stored.size_bytes),
        "crc32c": stored.crc32c,
    }
    attributes = {
        "eventType": "OBJECT_FINALIZE",
        "payloadFormat": "JSON_API_V1",
        "bucketId": version.bucket,
        "objectId": version.name,
        "objectGeneration": str(version.generation),
    }
    bus.publish(OBJECT_EVENTS, resource, attributes)


def notify(bus: Bus, stored: StoredObject) -> None:
    """Announce a new version under one of the prefixes in ANNOUNCED, as a bucket's notification does."""
    if stored.version.name.startswith(ANNOUNCED):
        announce(bus, stored)


def _message(event: "CloudEvent") -> Mapping[str, object]:
    if event["type"] != MESSAGE:
        raise NotAnEvent(f"an event of type {event['type']!r}, not {MESSAGE}")
    return _mapping(_mapping(event.data, "event data").get("message"), "message")


def _message_data(message: Mapping[str, object]) -> Mapping[str, object]:
    try:
        return _mapping(json.loads(base64.b64decode(_text(message, "data", limit=None), validate=True)), "message data")
    except (binascii.Error, ValueError, RecursionError) as error:
        raise NotAnEvent("message data is not base64 of a JSON object") from error


def _version(fields: Mapping[str, object], bucket: str, name: str, generation: str) -> ObjectVersion:
    number = fields.get(generation)
    text = str(number) if isinstance(number, int) and abs(number) <= _MAX_GENERATION else number
    if not isinstance(text, str) or not re.fullmatch("[0-9]{1,19}", text) or not 0 < int(text) <= _MAX_GENERATION:
        raise NotAnEvent(f"{generation} is {text!r:.40}, not a positive number of 63 bits")
    return ObjectVersion(_text(fields, bucket), _text(fields, name, limit=4096), int(text))


def _mapping(value: object, what: str) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise NotAnEvent(f"{what} is {type(value).__name__}, not an object")
    return value


def _text(fields: Mapping[str, object], name: str, limit: int | None = _MAX_ID) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or not value or (limit is not None and len(value) > limit):
        raise NotAnEvent(f"{name} is missing or is no short text")
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise NotAnEvent(f"{name} is {value!r:.200}, which is no Unicode text")
    return value


def _size(fields: Mapping[str, object]) -> int | None:
    size = fields.get("size")
    return int(size) if isinstance(size, str) and re.fullmatch("[0-9]{1,19}", size) else None


def _optional(fields: Mapping[str, object], name: str) -> str | None:
    value = fields.get(name)
    return value if isinstance(value, str) else None
