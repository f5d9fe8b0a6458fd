"""Google's own Pub/Sub emulator, where the Google Cloud CLI and Java are installed; and topics with push subscriptions.

Unlike the service: filters are accepted and not applied, one failed push delivers its acknowledged neighbours again,
and dead letters of push subscriptions do not work (the loop that pushes dies), so none may be asked for there.
"""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import grpc
from google.api_core.exceptions import AlreadyExists
from google.pubsub_v1 import PublisherClient, SubscriberClient
from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport
from google.pubsub_v1.types import DeadLetterPolicy, PushConfig, RetryPolicy, Subscription


@dataclass(frozen=True, slots=True)
class Pushed:
    """A push subscription: messages of `topic` that pass `filter` go to `url`, with a token of `email` for `audience`.

    After `attempts` (0: the number of the emulator) a message is a dead letter.
    """

    name: str
    topic: str
    url: str
    filter: str = ""
    email: str = ""
    audience: str = ""
    attempts: int = 0


def find_emulator() -> Path | None:
    """Return the emulator's archive: from MILLRACE_PUBSUB_EMULATOR or the Google Cloud CLI; None without it or Java.

    `MILLRACE_PUBSUB_EMULATOR=none` disables it.
    """
    named = os.environ.get("MILLRACE_PUBSUB_EMULATOR")
    if named == "none" or not shutil.which("java"):
        return None
    if named:
        return Path(named)
    gcloud = shutil.which("gcloud")
    if not gcloud:
        return None
    asked = subprocess.run(  # noqa: S603 the tool that was found
        [gcloud, "info", "--format=value(installation.sdk_root)"],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    found = sorted(Path(asked.stdout.strip() or "/").glob("platform/pubsub-emulator/lib/cloud-pubsub-emulator-*.jar"))
    return found[-1] if found else None


@contextmanager
def emulator(archive: Path, patience_s: float = 60) -> Iterator[str]:
    """Run the emulator; yield the address for PUBSUB_EMULATOR_HOST."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = ["java", "-jar", str(archive), "--host=127.0.0.1", f"--port={port}"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:  # noqa: S603
        try:
            until = time.monotonic() + patience_s
            while not _listens(port):
                if process.poll() is not None or time.monotonic() > until:
                    raise OSError(f"the Pub/Sub emulator does not listen on port {port}")
                time.sleep(0.1)
            yield f"127.0.0.1:{port}"
        finally:
            process.kill()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def provide(address: str, project: str, subscriptions: Sequence[Pushed]) -> None:
    """Create the subscriptions and their topics, as Terraform does."""
    with grpc.insecure_channel(address) as channel:
        publisher = PublisherClient(transport=PublisherGrpcTransport(channel=channel))
        subscriber = SubscriberClient(transport=SubscriberGrpcTransport(channel=channel))
        for topic in sorted({each.topic for each in subscriptions}):
            try:
                publisher.create_topic(name=f"projects/{project}/topics/{topic}")
            except AlreadyExists:
                continue
        for each in subscriptions:
            oidc = PushConfig.OidcToken(service_account_email=each.email, audience=each.audience)
            wanted = Subscription(
                name=f"projects/{project}/subscriptions/{each.name}",
                topic=f"projects/{project}/topics/{each.topic}",
                push_config=PushConfig(push_endpoint=each.url, oidc_token=oidc if each.email else None),
                ack_deadline_seconds=600,
                retry_policy=RetryPolicy(minimum_backoff=timedelta(seconds=1), maximum_backoff=timedelta(seconds=5)),
                filter=each.filter,
                dead_letter_policy=DeadLetterPolicy(
                    dead_letter_topic=f"projects/{project}/topics/{each.topic}-dead",
                    max_delivery_attempts=each.attempts,
                )
                if each.attempts
                else None,
            )
            subscriber.create_subscription(request=wanted)
