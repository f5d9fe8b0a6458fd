"""The company of the demo, as `millrace demo` and `make run` build it, and its API on a local port."""

import functools
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

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
END = f"{TODAY:%Y-%m-%dT00:00:00Z}"


def build(folder: Path, *options: str) -> Path:
    """Run the whole pipeline into `folder`: a simulated GitHub, Cursor's list of commits, and the logs of agents."""
    done = warm.run("run_all", "--data-dir", str(folder), "--end", END, *options)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return folder


def never_read(status: dict[str, Any], but: str = "") -> dict[str, Any]:
    """Return a status whose tables were never asked for, but for one."""
    never = {"last_extracted_at": None, "seconds_since": None, "rows": 0, "is_connected": False}
    sources = [source if source["table"] == but else source | never for source in status["sources"]]
    return status | {"sources": sources, "completeness": []}


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Serve the API over a folder, built or empty, with TODAY as the date; yield its URL.

    The status is of the machine's time, at which the rows were extracted. Nothing changes here, so it is read once:
    a visit waits for it the longest.
    """
    place = DataDir(folder)
    reader = DuckDBReader(place.published)
    where = remedies.laptop(place.root)
    read = functools.cache(lambda: status.status_of(place))
    api = app.Api(reader, read, now=lambda: TODAY, place=where)
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
