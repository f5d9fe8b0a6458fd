"""The guarantees of every bus: the in-process one, Google's client over our broker, and over Google's emulator."""

import base64
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from flask import Flask, request
from tests.contract.test_bus import cloud_event
from werkzeug.serving import make_server

from emulators import pubsub
from emulators.broker import Broker, serving
from millrace import wiring
from millrace.bus import Bus
from millrace.bus.events import ObjectFinalized, TaskEvent, announce
from millrace.bus.in_process import LocalBus, Subscription
from millrace.bus.pubsub import PubSubBus
from millrace.errors import ConfigError, TransientError
from millrace.lake import ObjectVersion, StoredObject

TASK = TaskEvent("20261120T060000Z", "commits", "commits")


@dataclass
class Inbox:
    """A function that receives pushes, and refuses the first `refusals` deliveries."""

    refusals: int = 0
    bodies: list[dict[str, Any]] = field(default_factory=list)
    then: Callable[[], None] = lambda: None

    def application(self) -> Flask:
        application = Flask("inbox")

        @application.post("/")
        def receive() -> tuple[str, int]:
            if self.refusals:
                self.refusals -= 1
                return "later", 503
            self.bodies.append(request.get_json())
            self.then()
            return "", 204

        return application

    @property
    def data(self) -> list[Any]:
        return [json.loads(base64.b64decode(body["message"]["data"])) for body in self.bodies]


class InProcess:
    """The in-process bus, driven by the thread that waits."""

    def __init__(self) -> None:
        self.bus = LocalBus(sleep=lambda s: None)

    def subscribe(self, name: str, topic: str, inbox: Inbox, table: str | None = None) -> None:
        matching = {"table": table} if table else {}
        self.bus.subscribe(Subscription(name, topic, inbox.application(), lane="one", matching=matching))

    def settle(self, until: Callable[[], bool]) -> None:
        self.bus.run()

    def close(self) -> None: ...


class OverSockets:
    """A publisher's real client, and functions served over HTTP."""

    def __init__(self, address: str, project: str) -> None:
        self.address, self.project = address, project
        self.bus = PubSubBus(project, patience_s=5)
        self._closing: list[Callable[[], None]] = []

    def subscribe(self, name: str, topic: str, inbox: Inbox, table: str | None = None) -> None:
        server = make_server("127.0.0.1", 0, inbox.application(), threaded=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self._closing += [server.shutdown, server.server_close]
        url = f"http://127.0.0.1:{server.server_port}/"
        wanted = f'attributes.table = "{table}"' if table else ""
        pubsub.provide(self.address, self.project, [pubsub.Pushed(name, topic, url, wanted)])

    def settle(self, until: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 300
        while not until() and time.monotonic() < deadline:
            time.sleep(0.02)
        time.sleep(0.2)  # time for a message that must not arrive

    def close(self) -> None:
        for each in self._closing:
            each()


Road = InProcess | OverSockets


@pytest.fixture(scope="module")
def googles_emulator() -> Iterator[str]:
    archive = pubsub.find_emulator()
    if archive is None:
        pytest.skip("Google's Pub/Sub emulator is not installed (gcloud components install pubsub-emulator, and Java)")
    with pubsub.emulator(archive) as address:
        yield address


@pytest.fixture
def our_broker() -> Iterator[str]:
    with serving(Broker()) as address:
        yield address


@pytest.fixture(params=["in process", "our broker", "googles emulator"])
def road(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Road]:
    made: Road
    if request.param == "in process":
        made = InProcess()
    else:
        address = request.getfixturevalue(request.param.replace(" ", "_"))
        monkeypatch.setenv("PUBSUB_EMULATOR_HOST", address)
        made = OverSockets(address, f"p{time.time_ns()}")
    yield made
    made.close()


def test_a_message_reaches_every_subscription_of_its_topic_and_no_other(road: Road) -> None:
    one, two, other = Inbox(), Inbox(), Inbox()
    road.subscribe("one", "topic", one)
    road.subscribe("two", "topic", two)
    road.subscribe("other", "another-topic", other)
    road.bus.publish("topic", {"é": [1, None]}, {"table": "commits"})
    road.settle(lambda: bool(one.bodies and two.bodies))
    assert (one.data, two.data, other.data) == ([{"é": [1, None]}], [{"é": [1, None]}], [])


def test_a_delivery_that_is_refused_for_now_comes_again(road: Road) -> None:
    inbox = Inbox(refusals=1)
    road.subscribe("inbox", "topic", inbox)
    road.bus.publish("topic", {"n": 1}, {})
    road.settle(lambda: bool(inbox.bodies))
    assert inbox.data[:1] == [{"n": 1}]


def test_message_published_during_delivery_is_delivered(road: Road) -> None:
    first, second = Inbox(then=lambda: road.bus.publish("second", {"n": 2}, {})), Inbox()
    road.subscribe("first", "first", first)
    road.subscribe("second", "second", second)
    road.bus.publish("first", {"n": 1}, {})
    road.settle(lambda: bool(second.bodies))
    assert second.data[:1] == [{"n": 2}]


def test_the_body_of_a_push_is_the_event_that_was_published(road: Road) -> None:
    tasks, objects = Inbox(), Inbox()
    road.subscribe("tasks", "extract-requests", tasks)
    road.subscribe("objects", "object-events", objects)
    TASK.request(road.bus)
    version = ObjectVersion("lake", "drop/repos/ü.csv", 7)
    announce(road.bus, StoredObject(version, 3, "AAAAAA=="))
    road.settle(lambda: bool(tasks.bodies and objects.bodies))
    assert TaskEvent.parse(cloud_event(tasks.bodies[0])) == TASK
    assert ObjectFinalized.parse(cloud_event(objects.bodies[0])) == ObjectFinalized(version, "AAAAAA==")
    assert tasks.bodies[0]["message"]["attributes"] == {
        "event": "extract.requested",
        "table": "commits",
        "run_id": TASK.run_id,
    }
    assert tasks.bodies[0]["message"]["messageId"]


# Where the buses differ.


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Broker, OverSockets]]:
    made = Broker()
    with serving(made) as address:
        monkeypatch.setenv("PUBSUB_EMULATOR_HOST", address)
        road = OverSockets(address, "project")
        yield made, road
        road.close()


def test_a_filter_keeps_other_tables_messages_away(broker: tuple[Broker, OverSockets]) -> None:
    commits = Inbox()
    broker[1].subscribe("commits", "extract-requests", commits, table="commits")
    for table in ("repos", "commits", "reviews"):
        broker[1].bus.publish("extract-requests", {"table": table}, {"table": table})
    broker[1].settle(lambda: bool(commits.bodies))
    assert commits.data == [{"table": "commits"}]


def test_faults_and_duplicates_on_purpose_lose_nothing(broker: tuple[Broker, OverSockets]) -> None:
    made, road = broker
    made.fault_share, made.deliver_twice, inbox = 0.3, True, Inbox()
    road.subscribe("inbox", "topic", inbox)
    for number in range(20):
        road.bus.publish("topic", {"n": number}, {})
    road.settle(lambda: made.pushes - made.faults >= 40)
    assert {each["n"] for each in inbox.data} == set(range(20))
    assert len({body["message"]["messageId"] for body in inbox.bodies}) == 40
    assert made.faults > 5


def test_a_prefix_is_part_of_the_topics_name(broker: tuple[Broker, OverSockets]) -> None:
    bus, ours, theirs = wiring.bus_at("pubsub:///projects/project?prefix=dev-"), Inbox(), Inbox()
    broker[1].subscribe("ours", "dev-topic", ours)
    broker[1].subscribe("theirs", "topic", theirs)
    bus.publish("topic", {"n": 1}, {})
    broker[1].settle(lambda: bool(ours.bodies))
    assert (ours.data, theirs.data) == ([{"n": 1}], [])


def test_a_topic_that_is_not_there_is_an_error_of_the_deployment(broker: tuple[Broker, OverSockets]) -> None:
    with pytest.raises(ConfigError, match=r"projects/project/topics/nowhere: .*terraform/"):
        broker[1].bus.publish("nowhere", {}, {})


def test_a_pub_sub_out_of_reach_is_left_to_a_later_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", "127.0.0.1:9")
    bus: Bus = PubSubBus("project", patience_s=0.5)
    with pytest.raises(TransientError, match="Pub/Sub may answer later"):
        bus.publish("topic", {}, {})
