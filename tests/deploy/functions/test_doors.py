"""Refusals before any work: over the real functions-framework, with tokens signed by our own keys."""

import datetime
import io
import json
import logging
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from google.auth import crypt, jwt
from google.oauth2 import id_token
from tests.deploy.functions.deployed import Deployed, headers, message, requested
from werkzeug.test import TestResponse

from millrace.bus.guard import MAX_BODY_BYTES
from millrace.config import LoadConfig
from millrace.errors import ConfigError
from millrace.laptop.functions import FUNCTIONS

AUDIENCE, ACCOUNT = "https://load.example", "caller@p.iam.gserviceaccount.com"
CHUNKED = {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
NOW = datetime.datetime.now(datetime.UTC)


def certificate(key: rsa.RSAPrivateKey) -> str:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, NOW, NOW + datetime.timedelta(days=1))
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


@pytest.fixture(scope="module")
def keys() -> dict[str, rsa.RSAPrivateKey]:
    return {name: rsa.generate_private_key(65537, 2048) for name in ("google", "stranger")}


@pytest.fixture(scope="module")
def fetches() -> list[str]:
    """The paths at which certificates were fetched."""
    return []


@pytest.fixture(scope="module")
def certificates(keys: dict[str, rsa.RSAPrivateKey], fetches: list[str]) -> Iterator[str]:
    """A server of the keys, as Google publishes its own."""
    published = json.dumps({"google": certificate(keys["google"])}).encode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            fetches.append(self.path)
            self.send_response(200)
            self.send_header("Cache-Control", "public, max-age=20854, must-revalidate, no-transform")
            self.send_header("Content-Length", str(len(published)))
            self.end_headers()
            self.wfile.write(published)

        def log_message(self, format: str, *arguments: Any) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


Sign = Callable[..., str]


@pytest.fixture
def sign(keys: dict[str, rsa.RSAPrivateKey]) -> Sign:
    """Return a function that makes a token as Pub/Sub does, with other claims."""

    def signed(by: str = "google", **changed: object) -> str:
        now = int(NOW.timestamp())
        claims = {"aud": AUDIENCE, "email": ACCOUNT, "email_verified": True, "iss": "https://accounts.google.com"}
        claims |= {"iat": now - 10, "exp": now + 3600, "sub": "1"} | changed
        pem = keys[by].private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return jwt.encode(crypt.RSASigner.from_string(pem, "google"), claims).decode()  # type: ignore[no-any-return]

    return signed


@pytest.fixture
def guarded(functions: Deployed, certificates: str) -> Deployed:
    functions.monkeypatch.setattr(id_token, "_GOOGLE_OAUTH2_CERTS_URL", certificates)
    functions.configure(MILLRACE_PUSH_AUDIENCE=AUDIENCE, MILLRACE_PUSH_ACCOUNT=ACCOUNT)
    return functions


@pytest.fixture
def lines() -> Iterator[list[str]]:
    """The log lines that a test causes."""
    heard: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: heard.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger("millrace")
    logger.addHandler(handler)
    yield heard
    logger.removeHandler(handler)


def call(functions: Deployed, token: str | None, target: str = "load") -> TestResponse:
    is_event = FUNCTIONS[target].signature == "cloudevent"
    sent = headers("google.cloud.pubsub.topic.v1.messagePublished") if is_event else {}
    if token is not None:
        sent["Authorization"] = f"Bearer {token}"
    body = {"message": requested("repos"), "subscription": "s"} if is_event else {}
    return functions.application(target).test_client().post("/", json=body, headers=sent)


def did_nothing(functions: Deployed) -> bool:
    return not functions.warehouse_path.exists() and not list(functions.lake.list(""))


def test_the_subscriptions_token_opens_the_door(guarded: Deployed, sign: Sign, lines: list[str]) -> None:
    assert call(guarded, sign()).status_code == 400
    assert lines == ["not an event"]  # the function logged it, not the authentication


def test_certificates_are_fetched_once(guarded: Deployed, sign: Sign, fetches: list[str]) -> None:
    fetches.clear()
    application = guarded.application("load").test_client()
    sent = headers("google.cloud.pubsub.topic.v1.messagePublished")
    for _ in range(3):
        answer = application.post("/", json={}, headers=sent | {"Authorization": f"Bearer {sign(by='stranger')}"})
        assert answer.status_code == 401
    assert len(fetches) == 1


OTHERS = [
    pytest.param({"aud": "https://other.example"}, 401, "audience", id="another audience"),
    pytest.param({"email": "x@p.iam.gserviceaccount.com"}, 403, "another account", id="another account"),
    pytest.param({"email": ACCOUNT.upper()}, 403, "another account", id="nearly the account"),
    pytest.param({"email_verified": False}, 403, "another account", id="an e-mail that is not verified"),
    pytest.param({"email_verified": "true"}, 403, "another account", id="verified only in words"),
    pytest.param({"exp": 1, "iat": 0}, 401, "expired", id="expired"),
    pytest.param({"iat": 9_999_999_999, "exp": 9_999_999_999}, 401, "too early", id="of the future"),
    pytest.param({"iss": "https://evil.example"}, 401, "issuer", id="another issuer"),
]


@pytest.mark.parametrize("target", ["load", "extract_repos", "start_run"])
@pytest.mark.parametrize(
    ("changed", "status", "why"),
    [
        *OTHERS,
        pytest.param({"by": "stranger"}, 401, "signature", id="signed by somebody else"),
    ],
)
def test_any_other_token_is_refused_with_one_line_and_no_work(
    guarded: Deployed, sign: Sign, lines: list[str], target: str, changed: dict[str, Any], status: int, why: str
) -> None:
    answer = call(guarded, sign(**changed), target)
    assert answer.status_code == status
    assert why in answer.get_data(as_text=True).lower()
    assert lines == ["refused at the door"]
    assert did_nothing(guarded)


def unsigned(token: str) -> str:
    """Return the token as Cloud Run passes it on when it has checked and removed the signature."""
    return f"{token.rpartition('.')[0]}.SIGNATURE_REMOVED_BY_GOOGLE"


def test_token_whose_signature_cloud_run_removed_is_accepted_there(
    guarded: Deployed, sign: Sign, lines: list[str]
) -> None:
    guarded.monkeypatch.setenv("K_SERVICE", "load")
    assert call(guarded, unsigned(sign())).status_code == 400
    assert lines == ["not an event"]  # the function logged it, not the authentication


def test_removed_signature_is_refused_outside_cloud_run(guarded: Deployed, sign: Sign, lines: list[str]) -> None:
    answer = call(guarded, unsigned(sign()))
    assert (answer.status_code, "signature" in answer.get_data(as_text=True)) == (401, True)
    assert lines == ["refused at the door"]


@pytest.mark.parametrize(
    ("changed", "status", "why"),
    [
        *OTHERS,
        pytest.param({"aud": None}, 401, "audience", id="no audience"),
        pytest.param({"exp": "soon"}, 401, "not valid", id="an expiry in words"),
        pytest.param({"exp": True}, 401, "not valid", id="an expiry that is no number"),
    ],
)
def test_other_claims_are_refused_where_the_signature_was_removed(
    guarded: Deployed, sign: Sign, lines: list[str], changed: dict[str, Any], status: int, why: str
) -> None:
    guarded.monkeypatch.setenv("K_SERVICE", "load")
    answer = call(guarded, unsigned(sign(**changed)))
    assert answer.status_code == status
    assert why in answer.get_data(as_text=True).lower()
    assert lines == ["refused at the door"]
    assert did_nothing(guarded)


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda token: token[:-4] + ("AAAA" if token[-4:] != "AAAA" else "BBBB"), id="another signature"),
        pytest.param(lambda token: f"{unsigned(token)}x", id="a longer text"),
        pytest.param(lambda token: unsigned(token).lower(), id="in small letters"),
        pytest.param(lambda token: f"{token.rpartition('.')[0]}.", id="an empty signature"),
        pytest.param(lambda token: "SIGNATURE_REMOVED_BY_GOOGLE", id="nothing else"),
        pytest.param(lambda token: "a.b.SIGNATURE_REMOVED_BY_GOOGLE", id="no claims"),
        pytest.param(lambda token: "e30.W10.SIGNATURE_REMOVED_BY_GOOGLE", id="a list for claims"),
    ],
)
def test_any_other_signature_is_refused_on_cloud_run(
    guarded: Deployed, sign: Sign, lines: list[str], spoil: Callable[[str], str]
) -> None:
    guarded.monkeypatch.setenv("K_SERVICE", "load")
    assert call(guarded, spoil(sign())).status_code == 401
    assert lines == ["refused at the door"]


@pytest.mark.parametrize("target", ["load", "extract_repos", "start_run"])
def test_health_is_answered_before_the_caller_is_checked(guarded: Deployed, lines: list[str], target: str) -> None:
    answer = guarded.application(target).test_client().get("/health")
    assert (answer.status_code, answer.get_data(as_text=True), lines) == (200, "ok", [])


@pytest.mark.parametrize("token", [None, "", "x", "a.b.c", "é", "x" * 9000], ids=lambda token: repr(token)[:9])
def test_invalid_token_is_refused(guarded: Deployed, lines: list[str], token: str | None) -> None:
    answer = call(guarded, token and token.encode().decode("latin-1"))
    assert answer.status_code == 401
    assert not token or len(token) < 2 or token not in answer.get_data(as_text=True)
    assert lines == ["refused at the door"]


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        pytest.param(b"x" * (20 << 20), "application/json", 413, id="20 MB"),
        pytest.param(b'"' + b"x" * MAX_BODY_BYTES, "application/json", 413, id="a little too much"),
        pytest.param(b"{", "application/json", 400, id="half an object"),
        pytest.param(b"", "application/json", 400, id="nothing"),
        pytest.param(b"[" * 100_000, "application/json", 400, id="endlessly nested"),
        pytest.param(b"[]", "application/json", 400, id="a list"),
        pytest.param(b'{"a": 1}', "application/json", 400, id="an object that is no event"),
        pytest.param(b'{"message": 1}', "application/json", 400, id="a push without a message"),
        pytest.param(b'{"specversion": "1.0"}', "application/cloudevents+json", 400, id="half an event"),
        pytest.param(b"a=1", "application/x-www-form-urlencoded", 400, id="a form"),
    ],
)
@pytest.mark.parametrize("target", ["load", "extract_repos"])
def test_invalid_event_is_refused_with_one_log_line(
    functions: Deployed, lines: list[str], target: str, body: bytes, kind: str, status: int
) -> None:
    client = functions.application(target).test_client()
    answer = client.post("/", data=body, headers={"Content-Type": kind})
    assert answer.status_code == status
    assert lines == ["refused at the door"]
    assert did_nothing(functions)


def test_large_chunked_body_is_refused(functions: Deployed, lines: list[str]) -> None:
    client = functions.application("load").test_client()
    answer = client.post("/", input_stream=io.BytesIO(b"x" * (2 << 20)), environ_overrides=CHUNKED)
    assert (answer.status_code, lines) == (413, ["refused at the door"])


def test_an_event_of_another_bucket_is_refused_with_one_line(functions: Deployed, lines: list[str]) -> None:
    other = message(
        {}, eventType="OBJECT_FINALIZE", bucketId="other", objectId="drop/repos/x.csv", objectGeneration="1"
    )
    assert functions.load(other).status_code == 400
    assert lines == ["not an event"]
    assert did_nothing(functions)


@pytest.mark.parametrize("name", ["MILLRACE_PUSH_AUDIENCE", "MILLRACE_PUSH_ACCOUNT"])
def test_half_a_caller_stops_the_deployment(functions: Deployed, name: str) -> None:
    functions.monkeypatch.setenv(name, "x")
    with pytest.raises(ConfigError, match="both are needed"):
        LoadConfig.from_env()
