"""Pub/Sub on one machine: topics, filtered push subscriptions, redelivery and dead letters, in this process.

A subscription pushes CloudEvents to an HTTP application (a function served by functions-framework) exactly as the
platform does. Subscriptions with the same `lane` are delivered one after the other; lanes run side by side.
"""

import base64
import itertools
import json
import queue
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from flask import Flask

from millrace.bus import events

_ATTEMPTS = 2  # per message: the function has retried what it could, and a person is waiting
_FIRST_WAIT_S = 0.2


@dataclass(frozen=True, slots=True)
class Message:
    """One published message."""

    message_id: str
    topic: str
    data: Mapping[str, object]
    attributes: Mapping[str, str]

    def envelope(self, subscription: str) -> dict[str, object]:
        """Return the body of a push."""
        return {
            "message": {
                "data": base64.b64encode(json.dumps(self.data).encode()).decode(),
                "attributes": dict(self.attributes),
                "messageId": self.message_id,
                "publishTime": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
            },
            "subscription": f"projects/local/subscriptions/{subscription}",
        }


@dataclass(frozen=True, slots=True)
class Subscription:
    """Delivers the messages of a topic whose attributes include `matching`."""

    name: str
    topic: str
    application: Flask
    lane: str
    matching: Mapping[str, str] = field(default_factory=dict)

    def takes(self, message: Message) -> bool:
        """Return whether the message is for this subscription."""
        return message.topic == self.topic and self.matching.items() <= message.attributes.items()

    def push(self, message: Message) -> tuple[int, str]:
        """Deliver once; return the HTTP status and, after a failure, the body."""
        headers = {
            "ce-id": message.message_id,
            "ce-source": f"//pubsub.googleapis.com/projects/local/topics/{message.topic}",
            "ce-specversion": "1.0",
            "ce-type": events.MESSAGE,
        }
        answer = self.application.test_client().post("/", headers=headers, json=message.envelope(self.name))
        return answer.status_code, "" if answer.status_code < 300 else answer.get_data(as_text=True)


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message whose delivery failed for good."""

    subscription: str
    message: Message
    status: int
    reason: str


class LocalBus:
    """An in-process bus. `run` delivers until no message is left; `busy_s` is the working time of each lane."""

    def __init__(self, sleep: Callable[[float], None] = time.sleep) -> None:
        self.dead_letters: list[DeadLetter] = []
        self.busy_s: defaultdict[str, float] = defaultdict(float)
        self._sleep = sleep
        self._subscriptions: list[Subscription] = []
        self._ids = itertools.count(1)
        self._queues: dict[str, queue.SimpleQueue[tuple[Subscription, Message] | None]] = {}
        self._held: list[tuple[Subscription, Message]] = []
        self._is_held: Callable[[Message], bool] = lambda message: False
        self._open = 0
        self._changed = threading.Condition()
        self._stopping = False
        self._failure: BaseException | None = None

    def subscribe(self, subscription: Subscription) -> None:
        """Add a subscription; it receives messages published from now on."""
        self._subscriptions.append(subscription)
        self._queues.setdefault(subscription.lane, queue.SimpleQueue())

    def publish(self, topic: str, data: Mapping[str, object], attributes: Mapping[str, str]) -> None:
        """Queue one message for every subscription that takes it."""
        message = Message(str(next(self._ids)), topic, data, attributes)
        for subscription in self._subscriptions:
            if subscription.takes(message):
                self._queue(subscription, message)

    def run(self, is_held: Callable[[Message], bool] = lambda message: False) -> None:
        """Deliver until every message is acknowledged or a dead letter, also those that deliveries publish.

        Messages for which `is_held` is true are left for the next call. An exception that a function's server does not
        catch ends the run and is raised here; pending messages are dropped.
        """
        self._stopping, self._failure, self._is_held = False, None, is_held
        held, self._held = self._held, []
        for subscription, message in held:
            self._queue(subscription, message)
        lanes = {
            lane: threading.Thread(target=self._drain, args=(lane,), name=f"lane-{lane}", daemon=True)
            for lane in self._queues
        }
        try:  # an interrupt may come as early as the first delivery
            for thread in lanes.values():
                thread.start()
            with self._changed:
                while self._open:
                    self._changed.wait()
        except BaseException:
            self._stopping = True  # pending messages stay undelivered, as when a machine stops
            raise
        finally:
            started = {lane: thread for lane, thread in lanes.items() if thread.ident is not None}
            for lane in started:
                self._queues[lane].put(None)
            for thread in started.values():
                thread.join()
        if self._failure is not None:
            raise self._failure

    def _queue(self, subscription: Subscription, message: Message) -> None:
        with self._changed:
            self._open += 1
        self._queues[subscription.lane].put((subscription, message))

    def _drain(self, lane: str) -> None:
        while (item := self._queues[lane].get()) is not None:
            started = time.monotonic()
            try:
                if not self._stopping and self._is_held(item[1]):
                    self._held.append(item)
                elif not self._stopping:
                    self._deliver(*item)
            except BaseException as error:  # noqa: BLE001 raised again by `run`
                self._failure, self._stopping = error, True
            finally:
                self.busy_s[lane] += time.monotonic() - started
                with self._changed:
                    self._open -= 1
                    self._changed.notify_all()

    def _deliver(self, subscription: Subscription, message: Message) -> None:
        for attempt in range(_ATTEMPTS):
            status, reason = subscription.push(message)
            if status < 300:
                return
            if status != 503:
                break
            if attempt + 1 < _ATTEMPTS:
                self._sleep(_FIRST_WAIT_S * 2**attempt)
        self.dead_letters.append(DeadLetter(subscription.name, message, status, reason))
