"""A small Google Cloud for gcloud: Cloud Storage, Artifact Registry and Cloud Build, which keep what they are asked.

It answers what `terraform/modules/image/build.sh` needs and no more: another request is answered 404. A bucket that
was not made is 404 too, and may be made, as in a project whose owner runs gcloud.
"""

import json
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

GCLOUD = shutil.which("gcloud")
MISSING = "gcloud is not installed"
_SERVICES = ("ARTIFACTREGISTRY", "CLOUDBUILD", "SERVICEUSAGE")


@dataclass
class Cloud:
    """The state of the cloud, and every request to it as `METHOD /path`."""

    buckets: set[str]
    images: set[str] = field(default_factory=set)
    status: str = "SUCCESS"
    asked: list[str] = field(default_factory=list)
    uploads: dict[str, bytes] = field(default_factory=dict)
    builds: list[dict[str, Any]] = field(default_factory=list)

    def answer(self, method: str, url: str, body: bytes) -> tuple[int, Any]:
        """Return status and JSON of the answer to a request."""
        path, query = unquote(urlsplit(url).path), parse_qs(urlsplit(url).query)
        self.asked.append(f"{method} {path}")
        if found := re.fullmatch(r"/storage/v1/b/([^/]+)", path):
            return (200, {"name": found[1]}) if found[1] in self.buckets else (404, _error("not found"))
        if method == "POST" and path == "/storage/v1/b":
            name = json.loads(body)["name"]
            self.buckets.add(name)
            return 200, {"name": name}
        if found := re.fullmatch(r"/storage/v1/b/[^/]+/o/.+/rewriteTo/b/([^/]+)/o/(.+)", path):
            return 200, {"done": True, "resource": {"bucket": found[1], "name": found[2], "generation": "1"}}
        if method == "POST" and (found := re.fullmatch(r"(?:/resumable)?/upload/storage/v1/b/([^/]+)/o", path)):
            return self._uploaded(found[1], query, body)
        if found := re.fullmatch(r"/v1/(projects/.+/packages/([a-z-]+))/tags/(\w+)", path):
            if f"{found[2]}:{found[3]}" not in self.images:
                return 404, _error("Requested entity was not found.")
            version = f"{found[1]}/versions/sha256:{'0' * 64}"
            return 200, {"name": f"{found[1]}/tags/{found[3]}", "version": version}
        if found := re.fullmatch(r"/v1/(projects/.+/versions/sha256:0{64})", path):
            return 200, {"name": found[1]}
        if method == "POST" and re.fullmatch(r"/v1/projects/[^/]+/locations/[^/]+/builds", path):
            self.builds.append(json.loads(body))
            return 200, {"name": "operations/build/acme/1", "metadata": {"build": self._build(path)}}
        if re.fullmatch(r"/v1/projects/[^/]+/locations/[^/]+/builds/[^/]+", path):
            return 200, self._build(path.rpartition("/")[0])
        if found := re.fullmatch(r"/v1/(projects/[^/]+/locations/[^/]+/repositories/images)", path):
            return 200, {"name": found[1], "format": "DOCKER", "mode": "STANDARD_REPOSITORY"}
        return 404, _error(f"{method} {path} is not answered here")

    def _build(self, path: str) -> dict[str, Any]:
        project = path.split("/")[3]
        name = f"{path.removeprefix('/v1/')}/1"
        return self.builds[-1] | {"id": "1", "name": name, "projectId": project, "status": self.status}

    def _uploaded(self, bucket: str, query: dict[str, list[str]], body: bytes) -> tuple[int, Any]:
        if bucket not in self.buckets:
            return 404, _error("The specified bucket does not exist.")
        boundary, _, rest = body.partition(b"\n")
        _, content = (part.partition(b"\n\n")[2] for part in rest.split(b"\n" + boundary)[:2])
        (name,) = query["name"]
        self.uploads[f"gs://{bucket}/{name}"] = content
        return 200, {"bucket": bucket, "name": name, "generation": "7", "size": str(len(content))}


def _error(message: str) -> dict[str, Any]:
    return {"error": {"code": 404, "message": message, "status": "NOT_FOUND"}}


@contextmanager
def serving(cloud: Cloud) -> Iterator[str]:
    """Serve the cloud; yield its address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, content = cloud.answer(self.command, self.path, body)
            text = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = _answer  # noqa: N815 as the base class names them

        def log_message(self, format: str, *arguments: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


def run(script: Path, address: str, folder: Path, settings: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a script whose gcloud talks to the cloud at an address; its own settings are kept in a folder."""
    overrides = {f"CLOUDSDK_API_ENDPOINT_OVERRIDES_{name}": address for name in _SERVICES}
    environment = {
        **{name: os.environ[name] for name in ("HOME", "LANG", "PATH") if name in os.environ},
        **overrides,
        "CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE": f"{address}storage/v1/",
        "CLOUDSDK_AUTH_DISABLE_CREDENTIALS": "true",
        "CLOUDSDK_CONFIG": str(folder / "gcloud"),
        "CLOUDSDK_CORE_DISABLE_PROMPTS": "1",
        "CLOUDSDK_CORE_DISABLE_USAGE_REPORTING": "true",
        "CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK": "true",
        "CLOUDSDK_CORE_DISABLE_FILE_LOGGING": "true",
        **settings,
    }
    return subprocess.run(["sh", str(script)], env=environment, capture_output=True, text=True, timeout=300)
