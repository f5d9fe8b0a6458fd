"""An emulator of Cloud Storage: gcp-storage-emulator, and the rules of the service that it lacks and we rely on.

Added here: `ifGenerationMatch` (412), reading by generation (404 for one that was replaced), generation headers on
downloads, growing generations, pages, the bucket's notification for each new version, delivered at least once, and
doors: an address for each account, where what it has no right to is refused with 403.

Unlike the service: listings and downloads only have the newest version (as a bucket without versioning); other
preconditions are ignored; a checksum that does not match is answered 400 as there, but with another message; at the
first address no request is refused for missing rights, and nothing is ever throttled or fails.
`tests/contract/test_gcs_answers.py` tests our side of those with recorded answers. Compressed objects are served as
they are stored, also to clients that want them unpacked.
"""

import contextlib
import json
import logging
import queue
import threading
import time
import urllib.parse
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

from gcp_storage_emulator import server
from gcp_storage_emulator.exceptions import NotFound
from gcp_storage_emulator.handlers import objects
from gcp_storage_emulator.storage import Storage

from millrace.bus import Bus, events
from millrace.errors import MillraceError
from millrace.lake import ObjectVersion, StoredObject

Resource = dict[str, Any]
Sink = Callable[[Resource], None]
_PAGE = 1000
_PATIENCE_S = 600.0
_NO_RIGHT = "The account does not have the permission, or the resource may not exist."


def to_topic(bus: Bus) -> Sink:
    """Return the sink of a bucket's notification: it sends a message to the topic of object events."""

    def publish(resource: Resource) -> None:
        version = ObjectVersion(resource["bucket"], resource["name"], int(resource["generation"]))
        events.notify(bus, StoredObject(version, int(resource["size"]), resource["crc32c"]))

    return publish


def to_function(url: str) -> Sink:
    """Return the sink of a direct Eventarc trigger: it posts a CloudEvent, whose data is the object."""

    def post(resource: Resource) -> None:
        headers = {
            "ce-id": uuid.uuid4().hex,
            "ce-source": f"//storage.googleapis.com/projects/_/buckets/{resource['bucket']}",
            "ce-specversion": "1.0",
            "ce-subject": "objects/" + urllib.parse.quote(resource["name"]),
            "ce-type": events.FINALIZED,
            "content-type": "application/json",
        }
        request = urllib.request.Request(url, json.dumps(resource).encode(), headers)  # noqa: S310 our own function
        urllib.request.urlopen(request, timeout=_PATIENCE_S).close()  # noqa: S310

    return post


class Notifier:
    """Passes each new version to its sink from a thread of its own, and retries until the sink accepts it."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._queue: queue.SimpleQueue[Resource | None] = queue.SimpleQueue()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="notifier", daemon=True)
        self._thread.start()

    def send(self, resource: Resource) -> None:
        """Queue a version for delivery."""
        self._queue.put(dict(resource))

    def close(self) -> None:
        """Stop; versions that are not delivered yet are dropped."""
        self._closed.set()
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (resource := self._queue.get()) is not None:
            wait_s = 0.1
            while not self._closed.is_set():
                try:
                    self._sink(resource)
                    break
                except (OSError, MillraceError):
                    self._closed.wait(wait_s)
                    wait_s = min(2 * wait_s, 2.0)


class Bucketed(Storage):  # type: ignore[misc]  # the emulator ships no types
    """The emulator's store, in which generations only grow; `created` receives each new version."""

    def __init__(self, folder: Path | None, created: Callable[[Resource], None]) -> None:
        self.lock = threading.RLock()
        self._created = created
        super().__init__(use_memory_fs=folder is None, data_dir=str(folder) if folder else None)

    def live(self, bucket: str, name: str) -> Resource | None:
        """Return an object's newest version; None when there is none."""
        try:
            found: Resource = self.get_file_obj(bucket, name)
        except NotFound:
            return None
        return found

    def create_file(self, bucket: str, name: str, content: bytes, obj: Resource, file_id: str | None = None) -> None:
        """Store a version under a generation beyond the one before."""
        before = self.live(bucket, name)
        generation = max(time.time_ns(), int(before["generation"]) + 1 if before else 0)
        obj |= {"generation": str(generation), "metageneration": "1", "size": str(len(content))}
        super().create_file(bucket, name, content, obj, file_id)
        self._created(obj)


May = Callable[[str, str, str], bool]
"""Whether an account may do something (create, get, list, delete) with an object of a bucket."""


@dataclass
class Door:
    """The store as one account reaches it; `used` and `refused` are (verb, bucket, name) of its requests."""

    store: Bucketed
    may: May
    used: set[tuple[str, str, str]] = field(default_factory=set)
    refused: set[tuple[str, str, str]] = field(default_factory=set)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    def admits(self, needed: list[tuple[str, str, str]]) -> bool:
        """Note what a request needs, and return whether the account has all of it."""
        missing = [each for each in needed if not self.may(*each)]
        self.used |= set(needed)
        self.refused |= set(missing)
        return not missing


def _guarded(handler: Callable[..., None]) -> Callable[..., None]:
    """Return a handler that asks a door for the rights first; the others are reached without a door."""

    def handle(request: Any, response: Any, storage: Bucketed | Door, *arguments: Any, **named: Any) -> None:
        request.data  # noqa: B018 as in `_ruled`
        with storage.lock:
            if isinstance(storage, Door) and not storage.admits(_needed(handler, request, storage.store)):
                response.status = HTTPStatus.FORBIDDEN
                response.json({"error": {"code": 403, "message": _NO_RIGHT}})
                return
            handler(request, response, storage, *arguments, **named)

    return handle


def _needed(handler: Callable[..., None], request: Any, store: Bucketed) -> list[tuple[str, str, str]]:
    """Return the rights that a request needs: https://docs.cloud.google.com/storage/docs/access-control/iam-json.

    To replace an object is to create and to delete one. Not documented is that a precondition is checked before the
    second right: the code relies on it where it creates an object that exists.
    """
    rule, bucket = getattr(handler, "rule", handler), request.params.get("bucket_name", "")
    if rule is objects.ls:
        return [("list", bucket, "")]
    name = _name(request, store)
    if rule in (objects.get, objects.download):
        exists = store.live(bucket, name) is not None
        return [("get", bucket, name)] if exists else [("get", bucket, name), ("list", bucket, "")]
    if rule in (objects.insert, objects.upload_partial):
        replaces = store.live(bucket, name) is not None and not _is_violated(request, store, bucket, name)
        return [("create", bucket, name)] + ([("delete", bucket, name)] if replaces else [])
    return [(request.method, bucket, name)]


def _ruled(handler: Callable[..., None]) -> Callable[..., None]:
    """Return a handler of objects that keeps the rules of this module."""

    def handle(request: Any, response: Any, storage: Bucketed, *arguments: Any, **named: Any) -> None:
        request.data  # noqa: B018 read the body before the lock is taken: the sender may be slow
        with storage.lock:
            bucket, name = request.params.get("bucket_name"), _name(request, storage)
            if handler in (objects.insert, objects.upload_partial) and _is_violated(request, storage, bucket, name):
                _refuse(response)
                return
            found = storage.live(bucket, name) if handler in (objects.get, objects.download) else None
            wanted = request.query.get("generation", [None])[0]
            if found and wanted not in (None, found["generation"]):
                response.status = HTTPStatus.NOT_FOUND
                return
            handler(request, response, storage, *arguments, **named)
            if found:
                response["X-Goog-Generation"] = found["generation"]
                response["X-Goog-Hash"] = f"crc32c={found['crc32c']},md5={found['md5Hash']}"
            if handler is objects.ls and response.status == HTTPStatus.OK:
                _page(request, response)

    handle.rule = handler  # type: ignore[attr-defined]  # whose rights it needs
    return handle


def _name(request: Any, storage: Bucketed) -> str:
    """Return the name of an object; the requests with the bytes of a resumable upload have only the upload's id."""
    if "upload_id" in request.query:
        return str(storage.resumable.get(request.query["upload_id"][0], {}).get("name"))
    name = request.params.get("object_id") or request.query.get("name", [None])[0]
    if name is None and isinstance(request.data, dict):
        name = request.data.get("meta", request.data).get("name")
    return str(name)


def _is_violated(request: Any, storage: Bucketed, bucket: str, name: str) -> bool:
    """Return whether an upload's precondition fails: checked at its first request, and again with its last byte.

    The address of a resumable upload repeats the precondition.
    """
    if "ifGenerationMatch" not in request.query:
        return False
    found = storage.live(bucket, name)
    return int(request.query["ifGenerationMatch"][0]) != (int(found["generation"]) if found else 0)


def _refuse(response: Any) -> None:
    message = "At least one of the pre-conditions you specified did not hold."
    reason = {"message": message, "domain": "global", "reason": "conditionNotMet"}
    response.status = HTTPStatus.PRECONDITION_FAILED
    response.json({"error": {"code": 412, "message": message, "errors": [reason]}})


def _page(request: Any, response: Any) -> None:
    answer = json.loads(response._content)
    after = request.query.get("pageToken", [""])[0]
    size = int(request.query.get("maxResults", [_PAGE])[0])
    start = request.query.get("startOffset", [""])[0]
    named = sorted(answer["items"], key=lambda item: item["name"])
    items = [item for item in named if item["name"] > after and item["name"] >= start]
    more = {"nextPageToken": items[size - 1]["name"]} if len(items) > size else {}
    response.json(answer | {"items": items[:size]} | more)


_HANDLERS = tuple(
    (
        path,
        {
            m: _guarded(_ruled(handler) if handler.__module__ == objects.__name__ else handler)
            for m, handler in methods.items()
        },
    )
    for path, methods in server.HANDLERS
)


class _Server(ThreadingHTTPServer):
    daemon_threads = True


class _Handler(server.RequestHandler):  # type: ignore[misc]  # the emulator ships no types
    store: Bucketed | Door
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body of an answer are two writes

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(self.store, *arguments, **named)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Log nothing."""


@contextmanager
def storage_emulator(*buckets: str, folder: Path | None = None, sink: Sink | None = None) -> Iterator[str]:
    """Serve these buckets, kept in `folder` or in memory; yield the address for STORAGE_EMULATOR_HOST.

    The first bucket has a notification: `sink` receives each of its new versions.
    """
    with stored(*buckets, folder=folder, sink=sink) as store, opened(store) as url:
        yield url


@contextmanager
def stored(*buckets: str, folder: Path | None = None, sink: Sink | None = None) -> Iterator[Bucketed]:
    """Yield a store with these buckets, as in `storage_emulator`, that is not served yet."""
    with contextlib.ExitStack() as stack:
        notifier = Notifier(sink) if sink else None
        if notifier:
            stack.callback(notifier.close)

        def created(resource: Resource) -> None:
            if notifier and resource["bucket"] == buckets[0]:
                notifier.send(resource)

        store = Bucketed(folder, created)
        for bucket in buckets:
            if store.get_bucket(bucket) is None:
                store.create_bucket(bucket, {"kind": "storage#bucket", "name": bucket, "id": bucket})
        yield store


@contextmanager
def opened(store: Bucketed | Door) -> Iterator[str]:
    """Serve a store to everybody, or at the door of one account; yield the address for STORAGE_EMULATOR_HOST."""
    server.HANDLERS = _HANDLERS
    logging.getLogger("gcp_storage_emulator").setLevel(logging.CRITICAL)  # a 404 is an answer
    handler = type("Handler", (_Handler,), {"store": store})
    with _Server(("127.0.0.1", 0), handler) as serving:
        thread = threading.Thread(target=serving.serve_forever, args=(0.05,), name="storage", daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{serving.server_port}"
        finally:
            serving.shutdown()
            thread.join()
