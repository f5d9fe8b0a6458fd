"""An emulator of Pub/Sub where Google's own is not installed: the same gRPC interface, pushes over HTTP.

Topics, push subscriptions with attribute filters of the form `attributes.name = "value"`, joined by AND, delivery at
least once with the token of the subscription's account, redelivery with backoff after any answer but 2xx, and dead
letters after the attempts of the subscription (kept in a list here). A service for which `at_once` says so handles so
many requests at the same time; more wait as long as on Cloud Run, and are then answered 429.
On demand it does on purpose what the service does by chance: `fault_share` of the pushes are answered 500, half of
them before the function receives them and half after it has done its work; with `deliver_twice`, each message is
delivered once more, under a message id of its own, as a bucket's notification may be.

Unlike the service: nothing outlives the process, pulls are not served, the signature of a token is not valid, and a
subscription's deadlines, waits and retention are ignored.
"""

import base64
import itertools
import json
import random
import re
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent import futures
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import grpc
from google.pubsub_v1.types import PublishRequest, PublishResponse, PubsubMessage, Subscription, Topic

from emulators import tokens

_ATTEMPTS = 20
_PENDING_S = 10.0  # https://docs.cloud.google.com/run/docs/about-instance-autoscaling: how long a request waits at most
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.1, 2.0
_TIMEOUT_S = 540.0
_UNLIMITED = 1000
_TERM = re.compile(r'attributes\.(\w+) = "([^"]*)"')


@dataclass(frozen=True, slots=True)
class RefusedPush:
    """A message that a subscription gave up on, and the last answer to it."""

    subscription: str
    status: int
    reason: str


@dataclass
class Broker:
    """The topics and subscriptions, and the threads that push."""

    fault_share: float = 0.0
    deliver_twice: bool = False
    seed: int = 1
    pushes: int = 0
    faults: int = 0
    dead_letters: list[RefusedPush] = field(default_factory=list)
    topics: dict[str, list[Subscription]] = field(default_factory=dict)
    at_once: dict[str, int] = field(default_factory=dict)  # by the address of the service

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)  # noqa: S311 faults on purpose, from a seed
        self._ids = itertools.count(1)
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._instances: dict[str, threading.Semaphore] = {}
        self._pushers = futures.ThreadPoolExecutor(32, thread_name_prefix="push")

    def create_topic(self, topic: Topic, context: grpc.ServicerContext) -> Topic:
        """Answer CreateTopic."""
        if topic.name in self.topics:
            context.abort(grpc.StatusCode.ALREADY_EXISTS, "Topic already exists")
        self.topics[topic.name] = []
        return topic

    def create_subscription(self, subscription: Subscription, context: grpc.ServicerContext) -> Subscription:
        """Answer CreateSubscription."""
        if subscription.topic not in self.topics:
            context.abort(grpc.StatusCode.NOT_FOUND, "Subscription topic does not exist")
        if not all(_TERM.fullmatch(term) for term in _terms(subscription)):
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, 'Only filters like attributes.a = "b" are known here')
        self.topics[subscription.topic].append(subscription)
        return subscription

    def publish(self, request: PublishRequest, context: grpc.ServicerContext) -> PublishResponse:
        """Answer Publish: queue the messages for every subscription of the topic."""
        if request.topic not in self.topics:
            context.abort(grpc.StatusCode.NOT_FOUND, "Topic not found")
        ids = []
        for message in request.messages:
            ids.append(str(next(self._ids)))
            for subscription in self.topics[request.topic]:
                for again in range(1 + self.deliver_twice):
                    self._pushers.submit(
                        self._deliver, subscription, message, str(next(self._ids)) if again else ids[-1]
                    )
        return PublishResponse(message_ids=ids)

    def stop(self) -> None:
        """Stop all deliveries."""
        self._stopped.set()
        self._pushers.shutdown(wait=True, cancel_futures=True)

    def _deliver(self, subscription: Subscription, message: PubsubMessage, message_id: str) -> None:
        wanted = [_TERM.findall(term)[0] for term in _terms(subscription)]
        if any(message.attributes.get(name) != value for name, value in wanted):
            return
        wait_s, status, reason = _FIRST_WAIT_S, 0, ""
        for _ in range(subscription.dead_letter_policy.max_delivery_attempts or _ATTEMPTS):
            if self._stopped.is_set():
                return
            status, reason = self._push(subscription, message, message_id)
            if 200 <= status < 300:
                return
            self._stopped.wait(wait_s)
            wait_s = min(2 * wait_s, _LONGEST_WAIT_S)
        self.dead_letters.append(RefusedPush(subscription.name.rpartition("/")[2], status, reason))

    def _push(self, subscription: Subscription, message: PubsubMessage, message_id: str) -> tuple[int, str]:
        with self._lock:
            self.pushes += 1
            fault = self._random.random() if self._random.random() < self.fault_share else None
            self.faults += fault is not None
        if fault is not None and fault < 0.5:
            return 500, "a fault on purpose, before the function"
        answer = self._call(subscription, _body(subscription, message, message_id))
        return (500, "a fault on purpose, after the function") if fault is not None else answer

    def _call(self, subscription: Subscription, body: bytes) -> tuple[int, str]:
        """Push to an instance of the service that has room."""
        url, oidc = subscription.push_config.push_endpoint, subscription.push_config.oidc_token
        token = tokens.passed_on(oidc.service_account_email, oidc.audience) if oidc.audience else None
        with self._lock:
            instances = self._instances.setdefault(url, threading.Semaphore(self.at_once.get(url, _UNLIMITED)))
        if not instances.acquire(timeout=_PENDING_S):
            return 429, "no available instance"
        try:
            return _post(url, body, token)
        finally:
            instances.release()


def _terms(subscription: Subscription) -> list[str]:
    return subscription.filter.split(" AND ") if subscription.filter else []


def _body(subscription: Subscription, message: PubsubMessage, message_id: str) -> bytes:
    now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    wrapped = {
        "data": base64.b64encode(message.data).decode(),
        "attributes": dict(message.attributes),
        "messageId": message_id,
        "message_id": message_id,
        "publishTime": now,
        "publish_time": now,
    }
    return json.dumps({"message": wrapped, "subscription": subscription.name}).encode()


def _post(url: str, body: bytes, token: str | None) -> tuple[int, str]:
    headers = {"Content-Type": "application/json"} | ({"Authorization": token} if token else {})
    request = urllib.request.Request(url, body, headers)  # noqa: S310 our own functions
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:  # noqa: S310
            return answer.status, ""
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read(2000).decode(errors="replace")
    except OSError as error:
        return 0, str(error)


@contextmanager
def serving(broker: Broker) -> Iterator[str]:
    """Serve the broker; yield the address for PUBSUB_EMULATOR_HOST."""
    methods: dict[str, dict[str, tuple[Any, Any, Any]]] = {
        "Publisher": {
            "CreateTopic": (broker.create_topic, Topic, Topic),
            "Publish": (broker.publish, PublishRequest, PublishResponse),
        },
        "Subscriber": {"CreateSubscription": (broker.create_subscription, Subscription, Subscription)},
    }
    server = grpc.server(futures.ThreadPoolExecutor(8))
    for service, handlers in methods.items():
        server.add_generic_rpc_handlers(
            [
                grpc.method_handlers_generic_handler(
                    f"google.pubsub.v1.{service}",
                    {
                        name: grpc.unary_unary_rpc_method_handler(answer, takes.deserialize, gives.serialize)
                        for name, (answer, takes, gives) in handlers.items()
                    },
                )
            ]
        )
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        broker.stop()
        server.stop(0.5).wait()
