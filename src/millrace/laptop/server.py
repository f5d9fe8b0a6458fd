"""The page and the read API of a data directory, served to programs of this machine only."""

import socket
import webbrowser
from collections.abc import Callable
from contextlib import suppress

import uvicorn
from fastapi import FastAPI

from millrace import log, wiring
from millrace.errors import ConfigError, Step
from millrace.laptop.callers import BACKLOG, CallerLimits, ServerErrors, protocol
from millrace.laptop.claims import MIXED
from millrace.laptop.data_dir import DataDir
from millrace.laptop.places import named
from millrace.laptop.status import amend, collecting
from millrace.status.remedies import laptop

_LOOPBACK = "127.0.0.1"


def listening(port: int) -> socket.socket:
    """Listen for programs of this machine; ConfigError when the port cannot be used.

    IPPROTO_TCP is set explicitly. Without it, asyncio does not enable TCP_NODELAY, and a client that waits for the rest
    of an answer receives it 40 ms later.
    """
    door = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        door.bind((_LOOPBACK, port))
        door.listen()
    except (OSError, OverflowError) as error:
        door.close()
        raise ConfigError(f"port {port} cannot be used: {error}; give another --port") from error
    return door


def serve(data_dir: DataDir, port: int, say: Callable[[str], None], opens: bool = False) -> None:
    """Serve the marts of a data directory until the process is stopped; ConfigError when there is nothing to serve.

    With `opens`, a browser opens the page.
    """
    if not data_dir.root.exists():
        raise ConfigError(f"nothing has run in {data_dir.root} yet", step=Step.BEGIN)
    data_dir.keep_private()
    door = listening(port)
    app = wiring.api_of(
        data_dir.api_config(),
        laptop(data_dir.root),
        lambda: collecting(data_dir),
        (_LOOPBACK, "localhost"),
        lambda status: amend(status, data_dir),
    )
    log.start()
    with door:
        where = f"http://{_LOOPBACK}:{door.getsockname()[1]}"
        say(f"{where} shows {_contents(data_dir)}; Ctrl-C ends it")
        if opens:
            webbrowser.open(where)
        with suppress(KeyboardInterrupt):  # the way to end it
            server_of(app, CallerLimits.of_process(), ServerErrors()).run([door])


def _contents(data_dir: DataDir) -> str:
    """Return what the page is about to show."""
    if data_dir.is_mixed():
        return f"{named(data_dir.root)}, which {MIXED}"
    if data_dir.kind() == "demo":
        return f"the simulated company of {named(data_dir.root)}; for your own numbers type: millrace collect"
    return f"the marts of {data_dir.root}"


def server_of(app: FastAPI, limits: CallerLimits, faults: ServerErrors) -> uvicorn.Server:
    """Return the server of an application, with these limits for callers."""
    faults.hear_libraries()
    return uvicorn.Server(
        uvicorn.Config(
            app,
            http=protocol(limits, faults),
            backlog=BACKLOG,
            log_config=None,
            access_log=False,
            server_header=False,
        )
    )
