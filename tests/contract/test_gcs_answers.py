"""How the bucket's adapter handles replies that no emulator sends: refusals, faults, lost replies, broken bytes.

The replies are those of the service's documentation and of the client library's own tests.
"""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from google.api_core.retry import Retry
from google.auth.credentials import AnonymousCredentials
from google.auth.transport.requests import AuthorizedSession
from google.cloud.storage import Client
from google.cloud.storage.retry import DEFAULT_RETRY
from requests.adapters import BaseAdapter

from millrace.errors import ConfigError, MillraceError, TransientError
from millrace.lake import ObjectExists, ObjectMissing, ObjectVersion, checksum
from millrace.lake.gcs import GcsLake

Answer = tuple[int, dict[str, str], bytes]
Asked = requests.PreparedRequest
QUICK: Retry = DEFAULT_RETRY.with_delay(0.01, 0.02).with_timeout(0.5)


class Recorded(BaseAdapter):
    """Returns the recorded replies one after the other, the last one again and again."""

    def __init__(self, *answers: Answer | Exception) -> None:
        super().__init__()
        self.answers = list(answers)
        self.asked: list[Asked] = []
        self.sizes: list[int] = []

    def send(self, request: Asked, *arguments: Any, **named: Any) -> requests.Response:
        self.asked.append(request)
        body = request.body
        self.sizes.append(len(body) if isinstance(body, bytes) else 0)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        response = requests.Response()
        response.status_code, headers, content = answer
        response.headers.update(headers)
        response.request, response.url = request, str(request.url)
        response.raw = Raw(content)
        return response

    def close(self) -> None: ...


class Raw:
    """The body of a reply, as urllib3 returns it."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    def stream(self, *arguments: Any, **named: Any) -> Iterator[bytes]:
        yield self.content
        self.content = b""

    def __enter__(self) -> "Raw":
        return self

    def __exit__(self, *error: object) -> None: ...

    def close(self) -> None: ...

    def release_conn(self) -> None: ...


def lake_answering(*answers: Answer | Exception) -> tuple[GcsLake, Recorded]:
    recorded = Recorded(*answers)
    return lake_over(recorded), recorded


def lake_over(recorded: Recorded) -> GcsLake:
    session = AuthorizedSession(AnonymousCredentials())
    session.mount("https://", recorded)
    return GcsLake(Client("p", AnonymousCredentials(), _http=session), "lake", QUICK)


def body_of(asked: Asked) -> str:
    return asked.body.decode() if isinstance(asked.body, bytes) else str(asked.body)


def refusal(status: int, message: str = "recorded") -> Answer:
    body = {"error": {"code": status, "message": message, "errors": [{"message": message}]}}
    return status, {"content-type": "application/json"}, json.dumps(body).encode()


def stored(content: bytes) -> Answer:
    body = {"name": "a", "bucket": "lake", "generation": "7", "size": str(len(content)), "crc32c": checksum(content)}
    return 200, {"content-type": "application/json"}, json.dumps(body).encode()


def media(content: bytes, **changed: str) -> Answer:
    headers = {"X-Goog-Generation": "7", "X-Goog-Hash": f"crc32c={checksum(content)}"}
    headers |= {name.replace("_", "-"): value for name, value in changed.items()}
    return 200, {name: value for name, value in headers.items() if value}, content


def write(lake: GcsLake, folder: Path) -> object:
    return lake.write("a", b"123456789", 0)


def read(lake: GcsLake, folder: Path) -> object:
    return lake.read("a")


def download(lake: GcsLake, folder: Path) -> object:
    return lake.download(ObjectVersion("lake", "a", 7), folder / "to")


def listing(lake: GcsLake, folder: Path) -> object:
    return list(lake.list("raw/"))


CALLS = [write, read, download, listing]
Call = Callable[[GcsLake, Path], object]


def test_a_write_names_its_precondition_and_its_checksum(tmp_path: Path) -> None:
    lake, recorded = lake_answering(stored(b"123456789"))
    assert lake.write("a", b"123456789", 5).version.generation == 7
    (asked,) = recorded.asked
    assert "ifGenerationMatch=5" in str(asked.url)
    assert '"crc32c": "4waSgw=="' in body_of(asked)


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
@pytest.mark.parametrize("call", CALLS)
def test_service_fault_is_retried_then_raised_as_transient(call: Call, status: int, tmp_path: Path) -> None:
    lake, recorded = lake_answering(refusal(status))
    with pytest.raises(TransientError, match="gs://lake/"):
        call(lake, tmp_path)
    assert len(recorded.asked) > 3


@pytest.mark.parametrize("fault", [refusal(503), requests.ConnectionError("reset by peer")], ids=["503", "reset"])
def test_failed_write_is_retried(fault: Answer | Exception, tmp_path: Path) -> None:
    lake, recorded = lake_answering(fault, stored(b"123456789"))
    assert lake.write("a", b"123456789", 0).version == ObjectVersion("lake", "a", 7)
    assert len(recorded.asked) == 2


def test_write_with_lost_answer_raises_object_exists(tmp_path: Path) -> None:
    lake, _ = lake_answering(refusal(503), refusal(412))
    with pytest.raises(ObjectExists):
        write(lake, tmp_path)


@pytest.mark.parametrize("call", CALLS)
def test_missing_permission_is_not_retried_and_error_points_to_terraform(call: Call, tmp_path: Path) -> None:
    lake, recorded = lake_answering(refusal(403, "x@p.iam.gserviceaccount.com does not have storage.objects.create"))
    with pytest.raises(ConfigError, match=r"does not have storage\.objects\.create.*rights are in terraform/"):
        call(lake, tmp_path)
    assert len(recorded.asked) == 1


@pytest.mark.parametrize("call", CALLS)
def test_a_missing_bucket_is_an_error_of_the_deployment(call: Call, tmp_path: Path) -> None:
    lake, _ = lake_answering(refusal(404, "The specified bucket does not exist."))
    with pytest.raises(ConfigError, match="no bucket 'lake'"):
        call(lake, tmp_path)


@pytest.mark.parametrize("call", [read, download])
def test_a_missing_object_is_missing(call: Call, tmp_path: Path) -> None:
    lake, _ = lake_answering(refusal(404, "No such object: lake/a"))
    with pytest.raises(ObjectMissing):
        call(lake, tmp_path)


@pytest.mark.parametrize("call", [read, download])
@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(media(b"1234567X9", X_Goog_Hash="crc32c=4waSgw=="), id="other bytes"),
        pytest.param(media(b"123456789", X_Goog_Hash=""), id="no checksum"),
        pytest.param(media(b"123456789", X_Goog_Generation=""), id="no generation"),
    ],
)
def test_bytes_that_cannot_be_vouched_for_are_not_taken(call: Call, answer: Answer, tmp_path: Path) -> None:
    lake, _ = lake_answering(answer)
    with pytest.raises(TransientError):
        call(lake, tmp_path)


def test_a_compressed_object_is_taken_as_it_is_stored(tmp_path: Path) -> None:
    lake, recorded = lake_answering(media(b"\x1f\x8bpacked", Content_Encoding="gzip"))
    assert lake.read("a")[0] == b"\x1f\x8bpacked"
    assert "gzip" in recorded.asked[0].headers["accept-encoding"]


def test_version_is_downloaded_by_generation(tmp_path: Path) -> None:
    lake, recorded = lake_answering(media(b"1"))
    download(lake, tmp_path)
    assert "generation=7" in str(recorded.asked[0].url)


def test_a_listing_follows_its_pages(tmp_path: Path) -> None:
    item = {"generation": "7", "size": "1", "crc32c": "x"}
    pages = [{"items": [item | {"name": "a"}], "nextPageToken": "after-a"}, {"items": [item | {"name": "b"}]}]
    lake, recorded = lake_answering(*((200, {}, json.dumps(page).encode()) for page in pages))
    assert [each.version.name for each in lake.list("")] == ["a", "b"]
    assert "pageToken=after-a" in str(recorded.asked[1].url)


@pytest.mark.parametrize("name", ["", ".", "..", "a\r", "a\nb", "a\0", "x" * 1025, "é" * 513])
def test_a_name_that_no_object_can_have_is_missing_without_a_question(name: str, tmp_path: Path) -> None:
    lake, recorded = lake_answering(refusal(400))
    with pytest.raises(ObjectMissing):
        lake.read(name)
    assert recorded.asked == []


class Resumable(Recorded):
    """The service's side of a resumable upload: 308 for each chunk but the last; the second chunk is lost at first."""

    def send(self, request: Asked, *arguments: Any, **named: Any) -> requests.Response:
        if request.method == "POST":
            self.answers = [(200, {"Location": "https://storage.googleapis.com/upload?upload_id=u"}, b"")]
            return super().send(request)
        if request.method == "GET":
            return super().send(request)
        match = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", str(request.headers["content-range"]))
        assert match
        last, total = int(match[2]), int(match[3])
        if len(self.asked) == 2:
            self.answers = [refusal(503)]
        else:
            is_done = last + 1 == total
            self.answers = [stored(b"x" * total) if is_done else (308, {"range": f"bytes=0-{last}"}, b"")]
        return super().send(request)


def test_large_upload_is_chunked_and_resumes_after_interruption(tmp_path: Path) -> None:
    (tmp_path / "part").write_bytes(b"x" * (20 << 20))
    recorded = Resumable()
    assert lake_over(recorded).write("a", tmp_path / "part", 0).size_bytes == 20 << 20
    assert "ifGenerationMatch=0" in str(recorded.asked[0].url)
    assert '"crc32c"' in body_of(recorded.asked[0])
    assert max(recorded.sizes) == 8 << 20
    assert sum(asked.method == "POST" for asked in recorded.asked) == 1


def test_other_gcs_error_is_raised_as_millrace_error() -> None:
    lake, _ = lake_answering(refusal(400, "Invalid bucket name"))
    with pytest.raises(MillraceError, match="Invalid bucket name"):
        lake.read("a")
