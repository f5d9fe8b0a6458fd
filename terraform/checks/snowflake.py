"""The sign-in to Snowflake, with the environment variables that Terraform's provider reads."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from snowflake import connector

from millrace.errors import first_line

_LOGIN_S = 20
_BROWSER = ("EXTERNALBROWSER",)


@dataclass(frozen=True, slots=True)
class Account:
    """A session's account: its region as Snowflake names it, the role, and Snowflake's own customer ids at Google."""

    region: str
    role: str
    customers: tuple[str, ...]

    @property
    def google_region(self) -> str | None:
        """Return the region of Google Cloud; None where the account is at another cloud."""
        name = self.region.rpartition(".")[2].lower()
        return name.removeprefix("gcp_").replace("_", "-") if name.startswith("gcp_") else None


@dataclass(frozen=True, slots=True)
class NoAccount:
    """There is no session; `why` is the reason, `is_refused` whether other credentials would help."""

    why: str
    is_refused: bool = False


def sign_in(account: str, surroundings: Mapping[str, str], may_open_browser: bool) -> Account | NoAccount:
    """Return the account's facts, or the reason why there is no session."""
    user = surroundings.get("SNOWFLAKE_USER")
    if not user:
        return NoAccount("SNOWFLAKE_USER is not set; docs/snowflake.md has the variables")
    way = surroundings.get("SNOWFLAKE_AUTHENTICATOR", "SNOWFLAKE").upper()
    if way in _BROWSER and not may_open_browser:
        return NoAccount("the sign-in opens a browser: add --browser to allow that")
    secrets = {
        "password": surroundings.get("SNOWFLAKE_PASSWORD"),
        "token": surroundings.get("SNOWFLAKE_TOKEN"),
        "private_key": _pem(surroundings.get("SNOWFLAKE_PRIVATE_KEY")),
    }
    if way not in _BROWSER and not any(secrets.values()):
        return NoAccount(
            f"SNOWFLAKE_AUTHENTICATOR is {way}: expected SNOWFLAKE_PRIVATE_KEY, _PASSWORD or _TOKEN, got none"
        )
    there = {name: surroundings.get(f"SNOWFLAKE_{name.upper()}") for name in ("role", "warehouse", "host", "protocol")}
    port = surroundings.get("SNOWFLAKE_PORT", "")
    given: dict[str, Any] = {name: value for name, value in (secrets | there).items() if value}
    try:
        with connector.connect(
            account=account,
            user=user,
            authenticator=way,
            login_timeout=_LOGIN_S,
            network_timeout=_LOGIN_S,
            **given | ({"port": int(port)} if port.isdigit() else {}),
        ) as session:
            return _facts(session)
    except connector.errors.OperationalError as error:
        return NoAccount(f"{account} was not reached: {first_line(error)}")
    except connector.errors.Error as error:
        return NoAccount(f"{account}, as {user}: {first_line(error)}", is_refused=True)
    except (ValueError, TypeError) as error:
        return NoAccount(f"the credentials cannot be read: {type(error).__name__}")


def _pem(text: str | None) -> str | None:
    """Return the bytes of a PEM as one line of Base64, which the connector takes."""
    return "".join(line for line in text.split("\n") if "-----" not in line) if text else None


def _facts(session: connector.SnowflakeConnection) -> Account:
    with session.cursor() as cursor:
        cursor.execute("select current_region(), current_role()")
        row = cursor.fetchone()
        region, role = (str(each or "") for each in row) if isinstance(row, tuple) else ("", "")
        return Account(region, role, _customers(cursor) if role == "ACCOUNTADMIN" else ())


def _customers(cursor: Any) -> tuple[str, ...]:
    """Return Snowflake's customer ids; empty where the account is at another cloud."""
    row = cursor.execute("select system$get_snowflake_platform_info()").fetchone()
    try:
        return tuple(str(each) for each in json.loads(row[0]).get("snowflake-customer-directory-id", []))
    except (ValueError, TypeError, AttributeError):
        return ()
