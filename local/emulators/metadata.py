"""An emulator of the metadata server of Cloud Run: the project, and tokens of the service's account.

As the service, it answers only requests with the header `Metadata-Flavor: Google`. No token of it opens anything.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

_ROOT = "/computeMetadata/v1"
_ACCOUNT = f"{_ROOT}/instance/service-accounts/default"


@contextmanager
def serving(project: str) -> Iterator[str]:
    """Serve the metadata of a project; yield the address for GCE_METADATA_HOST and GCE_METADATA_IP."""
    email = f"service@{project}.iam.gserviceaccount.com"
    texts = {
        "/": "",
        f"{_ROOT}/project/project-id": project,
        f"{_ROOT}/universe/universe-domain": "googleapis.com",
        f"{_ACCOUNT}/": json.dumps({"aliases": ["default"], "email": email, "scopes": []}),
        f"{_ACCOUNT}/token": json.dumps({"access_token": "emulated", "expires_in": 3600, "token_type": "Bearer"}),
    }

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            text = texts.get(urlsplit(self.path).path)
            is_asked_right = self.headers.get("Metadata-Flavor") == "Google"
            self.send_response((200 if text is not None else 404) if is_asked_right else 403)
            body = (text or "").encode()
            self.send_header("Metadata-Flavor", "Google")
            self.send_header("Content-Type", "application/json" if body.startswith(b"{") else "application/text")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, name="metadata", daemon=True)
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
