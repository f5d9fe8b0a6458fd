"""A reader in a crowd: 200 idle connections, and others that send 20,000 requests as fast as they can."""

import http.client
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench.measuring import Figure
from bench.reading import asked_ms, fill, percentile
from millrace.laptop.data_dir import DataDir

_IDLE, _ASKING, _QUESTIONS, _ALONE = 200, 4, 20_000, 500
_PATH = "/api/velocity"


def crowd() -> Figure:
    """Measure the 95th percentile of one reader's answers in the crowd; the floor is the same reader alone before."""
    with tempfile.TemporaryDirectory() as folder:
        place = DataDir(Path(folder))
        fill(place, daily=1_000, weekly=1_000, events=1_000)
        with _serving(place) as (host, port), ExitStack() as stack:
            reader = http.client.HTTPConnection(host, port)
            alone = [asked_ms(reader, _PATH) for _ in range(_ALONE)]
            for number in range(_IDLE):
                idle = stack.enter_context(socket.create_connection((host, port)))
                idle.sendall(b"GET / HTTP/1.1\r\nHost:" if number % 2 else b"")
            left = [_QUESTIONS // _ASKING] * _ASKING
            askers = [threading.Thread(target=_ask, args=(host, port, left, number)) for number in range(_ASKING)]
            for asker in askers:
                asker.start()
            crowded = []
            while any(asker.is_alive() for asker in askers):
                crowded.append(asked_ms(reader, _PATH))
    if any(left):
        raise RuntimeError(f"{sum(left)} questions were not answered")
    notes = {"median": f"{percentile(crowded, 50):.1f} ms of {len(crowded):,}"}
    what = f"a reader beside {_IDLE} idle connections and {_QUESTIONS:,} questions, p95"
    return Figure(what, percentile(crowded, 95), "ms", percentile(alone, 95), "alone", notes=notes)


def _ask(host: str, port: int, left: list[int], number: int) -> None:
    where = http.client.HTTPConnection(host, port)
    while left[number]:
        asked_ms(where, _PATH)
        left[number] -= 1
    where.close()


@contextmanager
def _serving(place: DataDir) -> Iterator[tuple[str, int]]:
    """Serve with the command, in a process of its own."""
    command = [sys.executable, "-m", "millrace", "serve", "--port", "0", "--data-dir", str(place.root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:  # noqa: S603
        line = process.stdout.readline() if process.stdout else ""
        host, _, port = line.partition("//")[2].partition(" ")[0].partition(":")
        try:
            yield host, int(port)
        finally:
            process.terminate()
