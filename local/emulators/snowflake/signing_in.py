"""The beginning and the end of a session at the server."""

import gzip
import json
from importlib import import_module
from typing import Any

from anyio import to_thread
from starlette.requests import Request

from emulators.snowflake.account import Account
from emulators.snowflake.session import Session

_SERVER: Any = import_module("fakesnow.server")  # the package has a function of that name
_THREADS = 200  # each statement that waits for a lock has one


def with_master_token(respond: Any) -> Any:
    """Add a second token to a sign-in's answer, as the service does: without it the client never ends its session."""

    def responded(content: Any, *arguments: Any, **named: Any) -> Any:
        data = content.get("data")
        if isinstance(data, dict) and "token" in data:
            data["masterToken"] = data["token"]
        return respond(content, *arguments, **named)

    return responded


class Connections(dict[str, Any]):
    """The connections by their tokens; the end of a session ends its transaction."""

    def __delitem__(self, token: str) -> None:
        self[token].session.close()
        super().__delitem__(token)


def signing_in(account: Account) -> Any:
    """Return the route's answer to a sign-in: fakesnow's, with a session of the account."""

    async def signed_in(request: Request) -> Any:
        to_thread.current_default_thread_limiter().total_tokens = _THREADS
        response = await _SERVER.login_request(request)
        body = await request.body()
        if request.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        asked = json.loads(body)["data"]
        answered = json.loads(response.body)
        connection = _SERVER.sessions[answered["data"]["token"]]
        parameters = {name.upper(): str(value) for name, value in asked["SESSION_PARAMETERS"].items()}
        parameters["AUTOCOMMIT"] = str(connection._autocommit).upper()
        connection._autocommit = True  # the session begins transactions, not fakesnow
        user = str(asked.get("LOGIN_NAME") or "").upper()
        role, warehouse = (request.query_params.get(name, "").upper() for name in ("roleName", "warehouse"))
        connection.session = Session(account, connection, user, role, warehouse, parameters)
        answered["data"]["sessionId"] = connection.session.number
        return _SERVER.JSONResponse(answered)

    return signed_in
