"""Where and as whom a session of Snowflake signs in: the address of the setting, the key, and its limits."""

import re
import socket
from typing import Any

import pytest
from snowflake import connector

from emulators import snowflake
from millrace.errors import ConfigError, TransientError
from millrace.warehouse.snowflake.session import Address
from millrace.warehouse.snowflake.warehouse import SnowflakeWarehouse

PEM = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n"
URL = "snowflake://org-account/MILLRACE?user=U&role=R&warehouse=W"


def test_address_parses_account_database_user_role_and_warehouse() -> None:
    address = Address.parse(URL)
    assert (address.account, address.database, address.user, address.role, address.warehouse) == (
        "org-account", "MILLRACE", "U", "R", "W",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("url", "message"),
    [
        pytest.param("duckdb:///x", "snowflake://ACCOUNT/DATABASE", id="another warehouse"),
        pytest.param(URL.replace("://", "://U:secret@"), "without credentials", id="credentials"),
        pytest.param(f"{URL}&password=secret", "says password", id="a password"),
        pytest.param(URL.replace("&role=R", ""), "'' for its role", id="no role"),
        pytest.param(URL.replace("/MILLRACE", ""), "'' for its database", id="no database"),
        pytest.param(URL.replace("=W", "=W;drop"), "for its warehouse", id="an injection"),
        pytest.param(f"{URL}&staging=snowpipe", "staging was removed", id="a setting that was removed"),
        pytest.param(f"{URL}&host=h&port=x", "port is a number", id="a port that is none"),
        pytest.param(URL.replace("org-account", ""), "for its account", id="no account"),
    ],
)
def test_an_address_that_cannot_be_is_refused_without_its_secret(url: str, message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)) as refused:
        Address.parse(url)
    assert "secret" not in str(refused.value).replace("says password", "")


def test_key_is_not_in_address_text_and_dbt_gets_secret_variable() -> None:
    address = Address.parse(URL, PEM)
    assert "c2VjcmV0" not in f"{address} {address!r}"
    told = address.for_dbt()
    assert [name for name, value in told.items() if "c2VjcmV0" in value] == ["DBT_ENV_SECRET_MILLRACE_SNOWFLAKE_KEY"]
    assert told["MILLRACE_SNOWFLAKE_AUTHENTICATOR"] == "snowflake_jwt"
    assert Address.parse(URL).for_dbt()["MILLRACE_SNOWFLAKE_AUTHENTICATOR"] == "workload_identity"


@pytest.mark.parametrize("pem", ["secret", "-----BEGIN PRIVATE KEY-----\n!secret!\n-----END PRIVATE KEY-----"])
def test_invalid_key_is_refused_without_being_shown(snowflake_at: str, pem: str) -> None:
    address = Address.parse(f"{URL}&{snowflake_at}", pem)
    with (
        pytest.raises(ConfigError, match="MILLRACE_SNOWFLAKE_KEY") as refused,
        SnowflakeWarehouse(address) as warehouse,
    ):
        warehouse.newest_load_seq()
    assert "secret" not in str(refused.value)


def test_unreachable_host_raises_transient_error(free_port: int) -> None:
    url = f"{URL}&host=127.0.0.1&port={free_port}&protocol=http"
    warehouse = SnowflakeWarehouse(Address.parse(url, snowflake.private_key()))
    with warehouse, pytest.raises(TransientError, match="org-account as U"):
        warehouse.newest_load_seq()


@pytest.fixture
def free_port(monkeypatch: pytest.MonkeyPatch) -> int:
    """A port without a listener, and short timeouts."""
    real = connector.connect
    hasty = lambda **told: real(**told | {"login_timeout": 1, "network_timeout": 1})  # noqa: E731
    monkeypatch.setattr(connector, "connect", hasty)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        pytest.param(None, {"authenticator": "WORKLOAD_IDENTITY", "workload_identity_provider": "GCP"}, id="by itself"),
        pytest.param(PEM, {"authenticator": "SNOWFLAKE_JWT", "private_key": b"secret"}, id="by a key pair"),
    ],
)
def test_it_signs_in_without_a_password_and_with_every_limit(
    monkeypatch: pytest.MonkeyPatch, key: str | None, expected: dict[str, object]
) -> None:
    told: dict[str, Any] = {}

    def refuse(**given: Any) -> None:
        told.update(given)
        raise connector.errors.DatabaseError("no such user")

    monkeypatch.setattr(connector, "connect", refuse)
    with pytest.raises(ConfigError, match=r"as U: .*may it use R\? docs/snowflake.md"):
        SnowflakeWarehouse(Address.parse(URL, key)).newest_load_seq()
    assert expected.items() <= told.items()
    assert not {"password", "token", "host"} & told.keys()
    session = told["session_parameters"]
    assert (session["TIMEZONE"], session["WEEK_START"], session["ABORT_DETACHED_QUERY"]) == ("UTC", 1, True)
    assert session["TIMESTAMP_TYPE_MAPPING"] == "TIMESTAMP_NTZ"
    assert 0 < session["LOCK_TIMEOUT"] < session["STATEMENT_TIMEOUT_IN_SECONDS"] < 540
