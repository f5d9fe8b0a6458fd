"""A server with the answers of Google's APIs: a request that the discovery documents lack is refused, as by Google.

Every request and every answer is compared with those documents; `problems` lists the differences. The answers are
written by hand after the documents and public recordings, because no account was reached.
"""

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.auth import jwt
from tests.deploy.preflight import discovery

TOKEN = "ya29.secret-of-the-fake"
EMAIL = "deployer@acme-data-dev.iam.gserviceaccount.com"


@dataclass(frozen=True, slots=True)
class Call:
    """One request: the method's id, the parameters of path and query, and the body."""

    id: str
    parameters: Mapping[str, str]
    query: Mapping[str, list[str]]
    body: Any


@dataclass(frozen=True, slots=True)
class Raw:
    """An answer that is no JSON of Google's: its bytes, after some seconds."""

    content: bytes
    after_s: float = 0.0


Answer = tuple[int, Any]
Answers = Callable[[Call], Answer]


@dataclass
class FakeGoogle:
    """The server; `answers` decides each answer, and may be replaced."""

    answers: Answers
    url: str = ""
    calls: list[Call] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    quota_projects: set[str | None] = field(default_factory=set)
    key: rsa.RSAPrivateKey = field(default_factory=lambda: rsa.generate_private_key(65537, 2048))

    def environment(self) -> dict[str, str]:
        """Return the addresses of all APIs, as gcloud reads them."""
        where = {api: f"{self.url}/{api}/" for api in discovery.DOCUMENTS}
        where["storage"] += discovery.document("storage", "v1")["servicePath"]
        return {f"CLOUDSDK_API_ENDPOINT_OVERRIDES_{api.upper()}": address for api, address in where.items()}

    def write_credentials(self, path: Path) -> None:
        """Write the credentials of a service account whose tokens this server hands out."""
        pem = self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        fields = {
            "type": "service_account",
            "client_email": EMAIL,
            "private_key": pem.decode(),
            "private_key_id": "1",
            "token_uri": f"{self.url}/token",
        }
        path.write_text(json.dumps(fields))

    def token(self, body: str) -> Answer:
        """Answer the exchange of a signed assertion for a token."""
        public = self.key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        given = parse_qs(body)
        jwt.decode(given["assertion"][0], certs={"1": public}, audience="https://oauth2.googleapis.com/token")
        return 200, {"access_token": TOKEN, "expires_in": 3599, "token_type": "Bearer"}

    def answer(self, verb: str, target: str, authorization: str, body: str) -> Answer:
        """Answer one request, and note what the documents do not have."""
        parts = urlsplit(target)
        if parts.path == "/token":
            return self.token(body)
        api, _, path = parts.path.lstrip("/").partition("/")
        found = discovery.find(api, verb, path)
        if found is None:
            self.problems.append(f"no method: {verb} {target}")
            return 404, Raw(b"<!DOCTYPE html><title>Error 404 (Not Found)!!1</title>")
        if authorization != f"Bearer {TOKEN}":
            return 401, error(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.")
        method, parameters = found
        query, content = parse_qs(parts.query, keep_blank_values=True), json.loads(body) if body else None
        call = Call(method.id, parameters, query, content)
        self.calls.append(call)
        self.problems += [*method.problems_of_query(query), *method.problems_of_request(content)]
        status, answer = self.answers(call)
        if status == 200 and not isinstance(answer, Raw):
            self.problems += method.problems_of_answer(answer)
        return status, answer


def error(status: int, name: str, message: str, reason: str = "", service: str = "") -> dict[str, Any]:
    """Return the body of an error, as Google's APIs have it."""
    details = {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": reason,
        "domain": "googleapis.com",
        "metadata": {"service": service, "consumer": "projects/123456789012"},
    }
    return {"error": {"code": status, "message": message, "status": name} | ({"details": [details]} if reason else {})}


def disabled(api: str) -> Answer:
    """Return the answer of an API that is not enabled."""
    service = f"{api}.googleapis.com"
    message = (
        f"API [{service}] has not been used in project 123456789012 before or it is disabled. Enable it by visiting "
        f"https://console.developers.google.com/apis/api/{service}/overview?project=123456789012 then retry."
    )
    return 403, error(403, "PERMISSION_DENIED", message, "SERVICE_DISABLED", service)


def denied(permission: str) -> Answer:
    """Return the answer to a caller without a permission."""
    message = f"Permission '{permission}' denied on resource (or it may not exist)."
    return 403, error(403, "PERMISSION_DENIED", message, "IAM_PERMISSION_DENIED")


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128  # a full queue costs a client a second


@contextmanager
def serving(answers: Answers) -> Iterator[FakeGoogle]:
    """Serve the answers until the block ends."""
    fake = FakeGoogle(answers)

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            fake.quota_projects.add(self.headers.get("X-Goog-User-Project"))
            status, answer = fake.answer(self.command, self.path, self.headers.get("Authorization", ""), body)
            if isinstance(answer, Raw):
                time.sleep(answer.after_s)
            content = answer.content if isinstance(answer, Raw) else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json; charset=UTF-8")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = _answer  # noqa: N815 the base class names them

        def log_message(self, format: str, *arguments: Any) -> None:
            """Log nothing."""

        def handle(self) -> None:
            """Answer, also to a client that no longer waits."""
            try:
                super().handle()
            except (BrokenPipeError, ConnectionResetError):
                return

    with _Server(("127.0.0.1", 0), Handler) as server:
        fake.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, args=(0.05,), name="google", daemon=True).start()
        try:
            yield fake
        finally:
            server.shutdown()
