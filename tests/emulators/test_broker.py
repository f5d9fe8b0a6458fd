"""Our additions to Pub/Sub's rules in the broker: filters of two terms, the token of a push, instances, attempts."""

import base64
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from flask import Flask, request
from google.api_core.exceptions import InvalidArgument
from werkzeug.serving import make_server

from emulators import broker as brokers, pubsub
from emulators.broker import Broker
from millrace.bus.pubsub import PubSubBus

FILTER = 'attributes.table = "repos" AND attributes.account = "acme"'


class Inbox:
    """A service that records what is pushed, and answers with `status`."""

    def __init__(self, status: int = 204) -> None:
        self.bodies: list[dict[str, int]] = []
        self.tokens: list[str | None] = []
        self.most = self._open = 0
        self._status, self._lock = status, threading.Lock()

    def answer(self) -> tuple[str, int]:
        with self._lock:
            self._open += 1
            self.most = max(self.most, self._open)
        threading.Event().wait(0.05)
        with self._lock:
            self._open -= 1
            self.bodies.append(json.loads(base64.b64decode(request.get_json()["message"]["data"])))
            self.tokens.append(request.headers.get("Authorization"))
        return "", self._status

    @contextmanager
    def listening(self) -> Iterator[str]:
        application = Flask("inbox")
        application.add_url_rule("/", view_func=self.answer, methods=["POST"])
        server = make_server("127.0.0.1", 0, application, threaded=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        server.server_close()


@contextmanager
def subscribed(inbox: Inbox, broker: Broker, expression: str = "", attempts: int = 0) -> Iterator[PubSubBus]:
    """Yield a bus whose topic pushes to the inbox, as the account that calls it."""
    with inbox.listening() as url, brokers.serving(broker) as address, pytest.MonkeyPatch.context() as patched:
        patched.setenv("PUBSUB_EMULATOR_HOST", address)
        pushed = pubsub.Pushed("s", "t", url, expression, "caller@p", "https://inbox", attempts)
        broker.at_once[url] = 1
        pubsub.provide(address, "p", [pushed])
        yield PubSubBus("p")


def wait(condition: Callable[[], object]) -> None:
    for _ in range(400):
        if condition():
            return
        threading.Event().wait(0.05)


def test_a_message_passes_a_filter_of_two_terms_only_with_both() -> None:
    inbox = Inbox()
    with subscribed(inbox, Broker(), FILTER) as bus:
        bus.publish("t", {"n": 1}, {"table": "repos"})
        bus.publish("t", {"n": 2}, {"table": "repos", "account": "beta"})
        bus.publish("t", {"n": 3}, {"table": "repos", "account": "acme"})
        wait(lambda: inbox.bodies)
        threading.Event().wait(0.3)
    assert inbox.bodies == [{"n": 3}]


def test_a_filter_of_another_form_is_refused() -> None:
    with pytest.raises(InvalidArgument), subscribed(Inbox(), Broker(), 'hasPrefix(attributes.table, "re")'):
        pass


def test_a_service_of_one_instance_handles_one_push_at_a_time_with_the_token_of_its_caller() -> None:
    inbox = Inbox()
    with subscribed(inbox, Broker()) as bus:
        for number in range(4):
            bus.publish("t", {"n": number}, {})
        wait(lambda: len(inbox.bodies) == 4)
    assert (len(inbox.bodies), inbox.most) == (4, 1)
    claims = json.loads(base64.b64decode(str(inbox.tokens[0]).split(".")[1] + "=="))
    assert (claims["email"], claims["aud"]) == ("caller@p", "https://inbox")


def test_a_message_is_given_up_after_the_attempts_of_its_subscription() -> None:
    inbox, broker = Inbox(500), Broker()
    with subscribed(inbox, broker, attempts=5) as bus:
        bus.publish("t", {"n": 1}, {})
        wait(lambda: broker.dead_letters)
    assert ([each.status for each in broker.dead_letters], len(inbox.bodies)) == ([500], 5)
