"""A session of Snowflake: its address, its credentials, and the meaning of its errors.

The account of the function or job itself signs in (Workload Identity Federation) or, where that is impossible, the
holder of a private key. There is no password.
"""

import base64
import binascii
import re
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import parse_qsl, unquote, urlsplit

from snowflake import connector
from snowflake.connector.errorcode import ER_WIF_CREDENTIALS_NOT_FOUND

from millrace.errors import ConfigError, MillraceError, TransientError, first_line

LOCK_TIMEOUT_S = 60
STATEMENT_TIMEOUT_S = 300  # well within the 540 s of a function
MORE_THAN_A_STATEMENT_S = 30
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_$]*")
_EXPECTED = "expected snowflake://ACCOUNT/DATABASE?user=U&role=R&warehouse=W"


@dataclass(frozen=True, slots=True)
class Address:
    """The address and the user of a session: the content of MILLRACE_WAREHOUSE.

    The account alone locates Snowflake. `host` is that of PrivateLink, or of an emulator, as `port` and `protocol` are.
    """

    account: str
    database: str
    user: str
    role: str
    warehouse: str
    host: str | None = None
    port: int | None = None
    protocol: str = "https"
    private_key: str | None = field(default=None, repr=False)

    @classmethod
    def parse(cls, url: str, private_key: str | None = None) -> Self:
        """Read `snowflake://ACCOUNT/DATABASE?user=U&role=R&warehouse=W`; ConfigError names what is missing.

        `private_key` is a PEM (PKCS #8, unencrypted); None: the account of the deployable signs in by itself.
        """
        parts = urlsplit(url)
        if parts.scheme != "snowflake" or "@" in parts.netloc or parts.fragment:
            raise ConfigError(f"{_EXPECTED}, without credentials in it")
        given = dict(parse_qsl(parts.query, keep_blank_values=True))
        unknown = given.keys() - {"user", "role", "warehouse", "staging", "host", "port", "protocol"}
        if unknown:
            raise ConfigError(f"the warehouse's address says {', '.join(sorted(unknown))}: {_EXPECTED}")
        names = {"database": unquote(parts.path.strip("/"))}
        names |= {name: given.get(name, "") for name in ("user", "role", "warehouse")}
        for what, name in names.items():
            if not _NAME.fullmatch(name):
                raise ConfigError(f"the warehouse's address has {name!r} for its {what}: {_EXPECTED}")
        if not re.fullmatch(r"[A-Za-z0-9_.-]+", parts.netloc):
            raise ConfigError(f"the warehouse's address has {parts.netloc!r} for its account: {_EXPECTED}")
        if not re.fullmatch(r"\d{0,5}", given.get("port", "")) or given.get("protocol", "https") not in (
            "http",
            "https",
        ):
            raise ConfigError("the warehouse's address: port is a number, protocol http or https")
        if given.get("staging", "copy") != "copy":
            raise ConfigError("the warehouse's address: staging was removed, parts are copied when they are loaded")
        port = int(given["port"]) if given.get("port") else None
        host, protocol = given.get("host"), given.get("protocol", "https")
        return cls(parts.netloc, **names, host=host, port=port, protocol=protocol, private_key=private_key)

    def for_dbt(self) -> dict[str, str]:
        """Return the variables that the profile of the dbt project reads for its target `prod`."""
        said = {
            "ACCOUNT": self.account,
            "HOST": self.host or f"{self.account}.snowflakecomputing.com",
            "PORT": str(self.port or 443),
            "PROTOCOL": self.protocol,
            "USER": self.user,
            "ROLE": self.role,
            "WAREHOUSE": self.warehouse,
            "DATABASE": self.database,
            "AUTHENTICATOR": "snowflake_jwt" if self.private_key else "workload_identity",
        }
        secret = {"DBT_ENV_SECRET_MILLRACE_SNOWFLAKE_KEY": self.private_key or ""}  # dbt never logs such a variable
        return {f"MILLRACE_SNOWFLAKE_{name}": value for name, value in said.items()} | secret


def connect(
    address: Address, schema: str = "RAW", statement_timeout_s: int = STATEMENT_TIMEOUT_S, **parameters: object
) -> connector.SnowflakeConnection:
    """Open a session in UTC, whose statements time out; ConfigError when it is refused.

    `parameters` are set besides the session parameters that all sessions have.
    """
    there = {"host": address.host, "port": address.port or 443, "protocol": address.protocol} if address.host else {}
    try:
        return connector.connect(
            account=address.account,
            user=address.user,
            role=address.role,
            warehouse=address.warehouse,
            database=address.database,
            schema=schema,
            paramstyle="qmark",  # values are bound by the server
            application="Millrace",
            login_timeout=60,
            network_timeout=statement_timeout_s + MORE_THAN_A_STATEMENT_S,
            client_session_keep_alive=False,
            session_parameters={
                "ABORT_DETACHED_QUERY": True,
                "LOCK_TIMEOUT": LOCK_TIMEOUT_S,
                "QUERY_TAG": "millrace",
                "STATEMENT_TIMEOUT_IN_SECONDS": statement_timeout_s,
                "TIMESTAMP_TYPE_MAPPING": "TIMESTAMP_NTZ",  # the account may read a bare TIMESTAMP otherwise
                "TIMESTAMP_NTZ_OUTPUT_FORMAT": "YYYY-MM-DD HH24:MI:SS.FF6",  # a CAST to text would cut to milliseconds
                "TIMEZONE": "UTC",
                "WEEK_START": 1,
                **parameters,
            },
            **_credentials(address),
            **there,
        )
    except connector.errors.Error as error:
        raise _refused(address, error) from error


def _credentials(address: Address) -> dict[str, Any]:
    if address.private_key is None:
        return {"authenticator": "WORKLOAD_IDENTITY", "workload_identity_provider": "GCP"}
    return {"authenticator": "SNOWFLAKE_JWT", "private_key": _der(address.private_key)}


def _der(pem: str) -> bytes:
    """Return the bytes between the lines of a PEM."""
    lines = [line.strip() for line in pem.strip().splitlines()]
    if len(lines) < 3 or lines[0] != "-----BEGIN PRIVATE KEY-----" or lines[-1] != "-----END PRIVATE KEY-----":
        raise ConfigError(
            "MILLRACE_SNOWFLAKE_KEY is no private key as PEM (PKCS #8, not encrypted): "
            "openssl genrsa 2048 | openssl pkcs8 -topk8 -nocrypt"
        )
    try:
        return base64.b64decode("".join(lines[1:-1]), validate=True)
    except binascii.Error:
        raise ConfigError("MILLRACE_SNOWFLAKE_KEY: what is between its lines is no Base64") from None


def _refused(address: Address, error: Exception) -> MillraceError:
    said = f"Snowflake {address.account} as {address.user}: {first_line(error)}"
    if isinstance(error, connector.errors.OperationalError):  # no answer; a refusal is a DatabaseError
        return TransientError(said)
    if getattr(error, "errno", None) == ER_WIF_CREDENTIALS_NOT_FOUND:  # a ProgrammingError, whatever the server said
        return TransientError(f"{said}; the metadata server, which issues this account's tokens, may answer later")
    way = "its key" if address.private_key else "the identity of this account"
    return ConfigError(f"{said}; does the user know {way}, and may it use {address.role}? docs/snowflake.md")
