"""A small company with collected agents and projects that have repositories, and its API on a local port."""

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from tests import warm

from millrace.api import app
from millrace.laptop import status
from millrace.laptop.data_dir import DataDir
from millrace.status import remedies
from millrace.warehouse.duckdb.reader import DuckDBReader

PROJECT = Path(__file__).resolve().parents[2]
TODAY = datetime(2026, 11, 24, 12, tzinfo=UTC)


def build(folder: Path) -> Path:
    """Run the whole pipeline over cursor-sim into `folder`; it drops the maps of projects and users itself."""
    _run("run_all", "--source=cursor-sim", "--data-dir", str(folder), "--end", f"{TODAY:%Y-%m-%dT00:00:00Z}")
    return folder


def _run(program: str, *arguments: str, **settings: str) -> None:
    done = warm.run(program, *arguments, environment=os.environ | settings)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Serve the API over a folder, built or empty, with TODAY as the date; yield its URL."""
    place = DataDir(folder)
    reader = DuckDBReader(place.published)
    where = remedies.laptop(place.root)
    api = app.Api(reader, lambda: status.status_of(place, TODAY), now=lambda: TODAY, place=where)
    try:
        with listening(app.create(api)) as url:
            yield url
    finally:
        reader.close()


@contextmanager
def listening(application: FastAPI) -> Iterator[str]:
    """Serve an application; yield its URL."""
    door = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(application, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [door]}, daemon=True)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        yield f"http://127.0.0.1:{door.getsockname()[1]}"
    finally:
        server.should_exit = server.force_exit = True  # a browser keeps its connections
        thread.join(300)
        assert not thread.is_alive()
        door.close()
