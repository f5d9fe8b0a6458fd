"""Signing in to Snowflake: what is repeated, and what a person has to mend."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from snowflake.connector import wif_util

from millrace.errors import TransientError
from millrace.warehouse.snowflake.session import Address, connect

ADDRESS = "snowflake://acme-millrace/MILLRACE?user=MILLRACE_LOADER&role=MILLRACE_LOADER&warehouse=MILLRACE"


@pytest.fixture
def busy_metadata_server() -> Iterator[str]:
    """A metadata server that does not issue tokens for a moment."""

    class Busy(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(503)

        def log_message(self, format: str, *arguments: Any) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Busy) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/service-accounts/default"
        server.shutdown()


def test_busy_metadata_server_is_transient(busy_metadata_server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wif_util, "GCP_METADATA_SERVICE_ACCOUNT_BASE_URL", busy_metadata_server)
    with pytest.raises(TransientError, match=r"251018.*may answer later"):
        connect(Address.parse(ADDRESS))


def test_absent_metadata_server_is_transient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wif_util, "GCP_METADATA_SERVICE_ACCOUNT_BASE_URL", "http://127.0.0.1:1/default")
    with pytest.raises(TransientError, match=r"251018.*may answer later"):
        connect(Address.parse(ADDRESS))


def test_host_of_privatelink_needs_no_port(monkeypatch: pytest.MonkeyPatch) -> None:
    host = "acme-millrace.privatelink.snowflakecomputing.com"
    address = Address.parse(f"{ADDRESS}&host={host}")
    settings = address.for_dbt()
    assert [settings[f"MILLRACE_SNOWFLAKE_{name}"] for name in ("HOST", "PORT", "PROTOCOL")] == [host, "443", "https"]
    monkeypatch.setattr(wif_util, "GCP_METADATA_SERVICE_ACCOUNT_BASE_URL", "http://127.0.0.1:1/default")
    with pytest.raises(TransientError, match=r"251018.*may answer later"):
        connect(address)
