"""The guarantees of the bus to publishers and to the functions that it pushes to."""

import base64
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from itertools import count
from typing import Any

import pytest
from cloudevents.http import CloudEvent
from flask import Flask, request
from hypothesis import given, strategies as st

from millrace.bus import events
from millrace.bus.events import NotAnEvent, ObjectFinalized, TaskEvent
from millrace.bus.in_process import LocalBus, Message, Subscription
from millrace.lake import ObjectVersion, StoredObject, names as keys

Answer = Callable[[str], int]


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def bus(waits: list[float]) -> LocalBus:
    return LocalBus(sleep=waits.append)


def receiver(answer: Answer = lambda text: 200) -> Flask:
    """A function that receives pushes; `answer` returns the status for the data's `text`."""
    application = Flask("receiver")

    @application.post("/")
    def receive() -> tuple[str, int]:
        data = json.loads(base64.b64decode(request.get_json()["message"]["data"]))
        status = answer(data["text"])
        return f"status {status} for {data['text']}", status

    return application


def remember(into: list[str], status: int = 200) -> Flask:
    return receiver(lambda text: into.append(text) or status)  # type: ignore[func-returns-value]


def publish(bus: LocalBus, *texts: str, topic: str = "topic", **attributes: str) -> None:
    for text in texts:
        bus.publish(topic, {"text": text}, attributes)


def test_a_message_reaches_every_subscription_that_takes_it_and_no_other(bus: LocalBus) -> None:
    all_of_it: list[str] = []
    commits: list[str] = []
    other: list[str] = []
    bus.subscribe(Subscription("all", "topic", remember(all_of_it), lane="a"))
    bus.subscribe(Subscription("some", "topic", remember(commits), lane="b", matching={"table": "commits"}))
    bus.subscribe(Subscription("other", "other-topic", remember(other), lane="c"))
    publish(bus, "1", table="commits", run_id="r")
    publish(bus, "2", table="repos")
    publish(bus, "3")
    bus.run()
    assert (all_of_it, commits, other) == (["1", "2", "3"], ["1"], [])


def test_nothing_is_delivered_before_the_bus_runs(bus: LocalBus) -> None:
    got: list[str] = []
    bus.subscribe(Subscription("s", "topic", remember(got), lane="a"))
    publish(bus, "1")
    assert got == []


def test_503_is_delivered_again_until_it_is_taken(bus: LocalBus, waits: list[float]) -> None:
    got: list[str] = []
    attempts = count(1)
    bus.subscribe(
        Subscription("s", "topic", receiver(lambda text: 503 if next(attempts) < 2 else got.append(text) or 200), "a")  # type: ignore[func-returns-value]
    )
    publish(bus, "1")
    bus.run()
    assert (got, bus.dead_letters) == (["1"], [])
    assert len(waits) == 1


def test_503_without_end_becomes_a_dead_letter_with_its_reason(bus: LocalBus, waits: list[float]) -> None:
    got: list[str] = []
    bus.subscribe(Subscription("s", "topic", remember(got, 503), lane="a"))
    publish(bus, "1")
    bus.run()
    (dead,) = bus.dead_letters
    assert (dead.subscription, dead.status, dead.reason) == ("s", 503, "status 503 for 1")
    assert len(got) == len(waits) + 1 > 1


@pytest.mark.parametrize("status", [400, 500])
def test_permanent_failure_becomes_dead_letter_immediately(bus: LocalBus, waits: list[float], status: int) -> None:
    got: list[str] = []
    bus.subscribe(Subscription("s", "topic", remember(got, status), lane="a"))
    publish(bus, "1", "2")
    bus.run()
    assert [(dead.message.data, dead.status) for dead in bus.dead_letters] == [
        ({"text": "1"}, status),
        ({"text": "2"}, status),
    ]
    assert (got, waits) == (["1", "2"], [])


def test_messages_published_during_delivery_are_delivered_in_same_run(bus: LocalBus) -> None:
    got: list[str] = []

    def answer(text: str) -> int:
        got.append(text)
        if len(text) < 4:
            publish(bus, text + "x")
        return 200

    bus.subscribe(Subscription("s", "topic", receiver(answer), lane="a"))
    publish(bus, "x")
    bus.run()
    assert got == ["x", "xx", "xxx", "xxxx"]


def test_held_messages_are_delivered_by_the_next_run(bus: LocalBus) -> None:
    delivered: list[str] = []

    def answer(text: str) -> int:
        if text == "first":
            publish(bus, "held", "second")
        delivered.append(text)
        return 200

    bus.subscribe(Subscription("all", "topic", receiver(answer), lane="a"))
    publish(bus, "first")
    bus.run(is_held=lambda message: message.data["text"] == "held")
    assert delivered == ["first", "second"]
    bus.run()
    assert delivered == ["first", "second", "held"]


def test_lanes_run_side_by_side(bus: LocalBus) -> None:
    met = threading.Barrier(2, timeout=600)
    together = receiver(lambda text: (met.wait() and 200) or 200)
    bus.subscribe(Subscription("a", "topic", together, lane="a"))
    bus.subscribe(Subscription("b", "topic", together, lane="b"))
    publish(bus, "1")
    bus.run()
    assert bus.dead_letters == []


def test_one_lane_is_one_delivery_at_a_time_in_the_order_of_publishing(bus: LocalBus) -> None:
    got: list[str] = []
    busy = threading.Lock()

    def answer(text: str) -> int:
        if not busy.acquire(blocking=False):
            return 500
        time.sleep(0.001)
        got.append(text)
        busy.release()
        return 200

    bus.subscribe(Subscription("a", "topic", receiver(answer), lane="one"))
    bus.subscribe(Subscription("b", "topic", receiver(answer), lane="one"))
    publish(bus, *"12345")
    bus.run()
    assert (got, bus.dead_letters) == (list("1122334455"), [])


def test_a_run_with_nothing_to_deliver_ends(bus: LocalBus) -> None:
    bus.subscribe(Subscription("a", "topic", receiver(), lane="a"))
    publish(bus, "1", topic="a topic that nobody takes")
    bus.run()
    bus.run()
    assert bus.dead_letters == []


@pytest.mark.parametrize("error", [SystemExit, MemoryError])
def test_a_function_that_ends_its_server_ends_the_run(bus: LocalBus, error: type[BaseException]) -> None:
    application = receiver(lambda text: raising(error))
    application.testing = True  # its server lets everything through
    bus.subscribe(Subscription("a", "topic", application, lane="a"))
    publish(bus, "1", "2")
    before = threading.active_count()
    with pytest.raises(error):
        bus.run()
    assert threading.active_count() == before


def raising(error: type[BaseException]) -> int:
    raise error("out")


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Restore Python's own handling of Ctrl-C, which a shell turns off for commands in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_an_interrupted_run_stops_its_threads_and_the_next_run_delivers_again(bus: LocalBus) -> None:
    got: list[str] = []

    def answer(text: str) -> int:
        got.append(text)
        if text == "1":
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.1)  # the main thread is interrupted during this delivery
        return 200

    bus.subscribe(Subscription("a", "topic", receiver(answer), lane="a"))
    publish(bus, "1")
    before = set(threading.enumerate())  # threads of earlier tests may end at any time
    with pytest.raises(KeyboardInterrupt):
        bus.run()
    assert set(threading.enumerate()) - before == set()
    publish(bus, "later")
    bus.run()
    assert got == ["1", "later"]


def test_the_body_of_a_push_is_that_of_pub_sub(bus: LocalBus) -> None:
    bodies: list[dict[str, Any]] = []
    sent: list[dict[str, str]] = []
    application = Flask("receiver")

    @application.post("/")
    def receive() -> str:
        bodies.append(request.get_json())
        sent.append(dict(request.headers))
        return "OK"

    bus.subscribe(Subscription("s", "topic", application, lane="a"))
    bus.publish("topic", {"é": [1, None]}, {"table": "commits"})
    bus.run()
    (body,) = bodies
    message = body["message"]
    assert set(body) == {"message", "subscription"}
    assert set(message) == {"data", "attributes", "messageId", "publishTime"}
    assert json.loads(base64.b64decode(message["data"], validate=True)) == {"é": [1, None]}
    assert message["attributes"] == {"table": "commits"}
    assert datetime.fromisoformat(message["publishTime"]).tzinfo is not None
    assert sent[0]["Ce-Type"] == events.MESSAGE
    assert sent[0]["Ce-Id"] == message["messageId"]


def test_every_message_has_an_id_of_its_own(bus: LocalBus) -> None:
    bus.subscribe(Subscription("s", "topic", receiver(lambda text: 500), lane="a"))
    publish(bus, *"1234")
    bus.run()
    assert len({dead.message.message_id for dead in bus.dead_letters}) == 4


def test_busy_time_of_each_lane_is_measured(bus: LocalBus) -> None:
    bus.subscribe(Subscription("s", "topic", receiver(lambda text: time.sleep(0.02) or 200), lane="a"))  # type: ignore[func-returns-value]
    publish(bus, "1")
    bus.run()
    assert bus.busy_s["a"] >= 0.02


# A published message is parsed, and no other is.

names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=100)
versions = st.builds(ObjectVersion, names, names, st.integers(1, 2**63 - 1))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


class Recorder:
    """A bus that returns each message as the event that a function receives."""

    def __init__(self) -> None:
        self.events: list[CloudEvent] = []

    def publish(self, topic: str, data: Mapping[str, object], attributes: Mapping[str, str]) -> None:
        self.events.append(cloud_event(Message("1", topic, data, attributes).envelope("s")))


def cloud_event(data: object, kind: str = events.MESSAGE) -> CloudEvent:
    return CloudEvent({"type": kind, "source": "//s", "id": "1"}, data)


@given(versions, st.integers(0), st.sampled_from(["4waSgw==", None]))
def test_announced_object_parses_to_version_and_checksum(version: ObjectVersion, size: int, crc32c: str | None) -> None:
    recorder = Recorder()
    events.announce(recorder, StoredObject(version, size, crc32c))
    assert ObjectFinalized.parse(recorder.events[0]) == ObjectFinalized(version, crc32c)


@given(versions)
def test_both_forms_of_an_object_event_are_the_same_event(version: ObjectVersion) -> None:
    resource = {"bucket": version.bucket, "name": version.name, "generation": str(version.generation), "crc32c": "x"}
    assert ObjectFinalized.parse(cloud_event(resource, events.FINALIZED)) == ObjectFinalized(version, "x")


@given(st.from_regex(keys.RUN_ID, fullmatch=True), names, st.from_regex(keys.TASK_ID, fullmatch=True))
def test_published_task_parses_to_same_task(run_id: str, table: str, task_id: str) -> None:
    recorder, task = Recorder(), TaskEvent(run_id, table, task_id)
    task.request(recorder)
    task.complete(recorder)
    assert [TaskEvent.parse(event) for event in recorder.events] == [task, task]


@pytest.mark.parametrize(
    "generation",
    ["0", "-1", "1.0", "", "\u0663", str(2**63), "9" * 5000, True, None, 1.5, [1], -1, 0],
    ids=lambda value: repr(value)[:20],
)
@pytest.mark.parametrize("kind", [events.MESSAGE, events.FINALIZED])
def test_a_generation_is_a_positive_number_of_63_bits(generation: object, kind: str) -> None:
    attributes = {"bucketId": "b", "objectId": "n", "objectGeneration": generation}
    resource = {"bucket": "b", "name": "n", "generation": generation, "message": {"attributes": attributes}}
    with pytest.raises(NotAnEvent):
        ObjectFinalized.parse(cloud_event(resource, kind))


@given(json_values, st.sampled_from([events.MESSAGE, events.FINALIZED, "other"]))
def test_no_event_data_makes_anything_but_not_an_event(data: object, kind: str) -> None:
    for parse in (ObjectFinalized.parse, TaskEvent.parse):
        with pytest.raises(NotAnEvent):
            parse(cloud_event(data, kind))


@given(
    st.dictionaries(
        st.sampled_from(["data", "attributes", "messageId"]),
        json_values
        | st.builds(lambda value: base64.b64encode(json.dumps(value).encode()).decode(), json_values)
        | st.dictionaries(st.sampled_from(["bucketId", "objectId", "objectGeneration", "eventType"]), json_values),
    )
)
def test_no_message_makes_anything_but_an_event_or_not_an_event(message: dict[str, object]) -> None:
    for kind in (ObjectFinalized, TaskEvent):
        with suppress(NotAnEvent):
            assert isinstance(kind.parse(cloud_event({"message": message})), kind)


@given(st.binary())
def test_no_message_data_makes_anything_but_not_an_event(data: bytes) -> None:
    with pytest.raises(NotAnEvent):
        TaskEvent.parse(cloud_event({"message": {"data": base64.b64encode(data).decode()}}))


def test_data_that_is_nested_too_deep_is_not_an_event() -> None:
    with pytest.raises(NotAnEvent):
        TaskEvent.parse(cloud_event({"message": {"data": base64.b64encode(b"[" * 100_000).decode()}}))
