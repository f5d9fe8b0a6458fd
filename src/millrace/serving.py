"""The read API over what is configured, and the command that serves it on this machine alone."""

import argparse
import socket
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from fastapi import FastAPI

from millrace import adapters, log, status
from millrace.api.app import Api, create
from millrace.config import ApiConfig, StatusConfig
from millrace.errors import ConfigError
from millrace.place import Place
from millrace.status import Collecting, Status

_LOOPBACK = "127.0.0.1"


def application(
    config: ApiConfig, collecting: Callable[[], Collecting] = Collecting, hosts: tuple[str, ...] = ("*",)
) -> FastAPI:
    """Make the application over what is configured; `collecting` knows of a collector on the same machine."""
    reader = adapters.reader_of(config)
    limits = StatusConfig.from_env()

    def now() -> Status:
        lake, desk = adapters.lake_at(config.lake), adapters.lake_at(config.quarantine)
        return status.assemble(lake, status.of_reader(reader), desk, collecting(), limits, now=datetime.now(UTC))

    return create(Api(reader, now), hosts)


def serve(options: argparse.Namespace) -> int:
    """Serve the marts of a data directory, to this machine only, until it is stopped."""
    import uvicorn

    from millrace.etl_commands import collecting

    place = Place((options.data_dir or Path("data")).resolve())
    if not place.root.exists():
        raise ConfigError(f"nothing has run in {place.root} yet; type: make run")
    try:
        door = socket.create_server((_LOOPBACK, options.port))
    except OSError as error:
        raise ConfigError(f"port {options.port} cannot be used: {error.strerror}; give another --port") from error
    app = application(place.api_config(), lambda: collecting(place), (_LOOPBACK, "localhost"))
    log.start()
    with door:
        where = f"http://{_LOOPBACK}:{door.getsockname()[1]}"
        print(f"{where} shows the marts of {place.root}; Ctrl-C ends it", flush=True)  # noqa: T201 the command's answer
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, server_header=False))
        server.run([door])
    return 0
