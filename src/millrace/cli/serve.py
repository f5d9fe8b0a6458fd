"""The read API over what is configured, and the command that serves it on this machine alone."""

import argparse
import socket
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from fastapi import FastAPI

from millrace import log, wiring
from millrace.api.app import Api, create
from millrace.config import ApiConfig, StatusConfig
from millrace.errors import ConfigError, Step
from millrace.laptop.data_dir import Place
from millrace.status import remedies, report
from millrace.status.report import Collecting, Status

_LOOPBACK = "127.0.0.1"


def application(
    config: ApiConfig,
    place: remedies.Place,
    collecting: Callable[[], Collecting] = Collecting,
    hosts: tuple[str, ...] = ("*",),
) -> FastAPI:
    """Return the application over what is configured, with advice for the place that serves it.

    `collecting` knows of a collector on the same machine.
    """
    reader = wiring.reader_of(config)
    limits = StatusConfig.from_env()

    def now() -> Status:
        lake, desk = wiring.lake_at(config.lake), wiring.lake_at(config.quarantine)
        instant = datetime.now(UTC)
        return report.assemble(lake, report.of_reader(reader), desk, collecting(), limits, now=instant, place=place)

    return create(Api(reader, now, place=place), hosts)


def listening(port: int) -> socket.socket:
    """Open the door to programs of this machine; ConfigError when the port is taken.

    That it is TCP is said although it goes without saying: asyncio sends small packets at once only of such a socket,
    and else a client that waits for the rest of an answer is given it 40 ms later.
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


def serve(options: argparse.Namespace) -> int:
    """Serve the marts of a data directory, to this machine only, until it is stopped."""
    import uvicorn

    from millrace.laptop.status import collecting

    place = Place((options.data_dir or Path("data")).resolve())
    if not place.root.exists():
        raise ConfigError(f"nothing has run in {place.root} yet", step=Step.BEGIN)
    door = listening(options.port)
    laptop, names = remedies.laptop(place.root), (_LOOPBACK, "localhost")
    app = application(place.api_config(), laptop, lambda: collecting(place), names)
    log.start()
    with door:
        where = f"http://{_LOOPBACK}:{door.getsockname()[1]}"
        print(f"{where} shows the marts of {place.root}; Ctrl-C ends it", flush=True)  # noqa: T201 the command's answer
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, server_header=False))
        with suppress(KeyboardInterrupt):  # the way to end it
            server.run([door])
    return 0
