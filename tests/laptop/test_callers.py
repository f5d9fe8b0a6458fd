"""Callers that hold connections: theirs are closed, the others are served, the log stays short. With real sockets."""

import io
import json
import logging
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
import requests
from fastapi import FastAPI, Response

from millrace import log
from millrace.laptop.callers import CallerLimits, ServerErrors
from millrace.laptop.project import PROJECT
from millrace.laptop.server import listening, server_of

HALF = b"GET / HTTP/1.1\r\nX"
LONG_S = 600.0  # a limit for a failing test only
LARGE = b"x" * (32 << 20)  # more than the buffers of two sockets hold


@contextmanager
def served(limits: CallerLimits) -> Iterator[tuple[str, int]]:
    """Serve `/`, and `/large`, from a thread of this process."""
    app = FastAPI()
    app.get("/")(lambda: "good")
    app.get("/large")(lambda: Response(LARGE))
    libraries = [logging.getLogger(name) for name in ("asyncio", "uvicorn.error")]
    before = [(each.handlers[:], each.propagate) for each in libraries]
    with listening(0) as door:
        server = server_of(app, limits, ServerErrors())
        thread = threading.Thread(target=server.run, args=([door],))
        thread.start()
        try:
            yield door.getsockname()
        finally:
            server.should_exit = True
            thread.join(LONG_S)
            for library, (handlers, propagate) in zip(libraries, before, strict=True):
                library.handlers, library.propagate = handlers, propagate


def called(address: tuple[str, int], sent: bytes) -> socket.socket:
    caller = socket.create_connection(address, timeout=LONG_S)
    caller.sendall(sent)
    return caller


def is_closed(caller: socket.socket) -> bool:
    """Wait until the server closes the connection, possibly after a response."""
    with suppress(ConnectionError):
        while caller.recv(65536):
            pass
    return True


def keep_sending(caller: socket.socket, drop: bytes) -> None:
    """Send a drop repeatedly until the server has closed the connection."""
    with suppress(ConnectionError):
        while True:
            caller.sendall(drop)
            threading.Event().wait(0.02)


def get(address: tuple[str, int]) -> int:
    return requests.get(f"http://{address[0]}:{address[1]}/", timeout=LONG_S).status_code


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(HALF, id="half of the headers"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc", id="half of a body"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" + HALF, id="a request and the half of another"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 2 + HALF, id="behind two at once"),
    ],
)
def test_a_caller_that_sends_no_whole_request_is_dropped_at_the_deadline(sent: bytes) -> None:
    with served(CallerLimits(50, request_s=0.2)) as address, called(address, sent) as caller:
        assert is_closed(caller)
        assert get(address) == 200


def test_a_byte_now_and_then_does_not_move_the_deadline() -> None:
    with served(CallerLimits(50, request_s=0.3)) as address, called(address, HALF) as caller:
        keep_sending(caller, b"x")
        assert get(address) == 200


def test_a_caller_that_does_not_read_is_dropped() -> None:
    with (
        served(CallerLimits(50, answer_s=0.2)) as address,
        called(address, b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n") as caller,
    ):
        keep_sending(caller, b"\r\n")
        assert get(address) == 200


def test_a_caller_that_reads_slowly_gets_all_of_it() -> None:
    with served(CallerLimits(50, request_s=5, answer_s=5)) as address:
        with called(address, b"GET /large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n") as caller:
            size = 0
            while chunk := caller.recv(1 << 20):
                size += len(chunk)
                threading.Event().wait(0.001)
        assert size > len(LARGE)


@pytest.mark.parametrize(
    "sent", [b"", HALF, b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n"], ids=["silent", "half", "unread"]
)
def test_too_many_callers_that_wait_make_room_for_one_that_asks(sent: bytes) -> None:
    with served(CallerLimits(4)) as address, ExitStack() as stack:
        waiting = []
        for _ in range(12):
            waiting.append(stack.enter_context(called(address, sent)))
            if b"large" in sent:
                waiting[-1].recv(1 << 20, socket.MSG_WAITALL)  # now the server waits for the caller to read on
        assert [get(address) for _ in range(3)] == [200] * 3
        assert is_closed(waiting[0])


def test_260_half_requests_under_256_descriptors_deny_nothing_and_fill_no_log(tmp_path: Path) -> None:
    command = f"ulimit -n 256; exec {sys.executable} -m millrace serve --port 0 --data-dir {tmp_path}"
    with (
        subprocess.Popen(
            ["bash", "-c", command], cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process,
        ExitStack() as stack,
    ):
        stack.callback(process.terminate)  # even if it no longer responds
        assert process.stdout is not None
        assert process.stderr is not None
        port = int(process.stdout.readline().partition(" ")[0].rpartition(":")[2])
        for _ in range(260):
            stack.enter_context(called(("127.0.0.1", port), HALF))
        assert [requests.get(f"http://127.0.0.1:{port}/", timeout=60).status_code for _ in range(5)] == [200] * 5
        process.terminate()
        said = process.stderr.read()
    assert "Traceback" not in said
    assert len(said.splitlines()) <= 4
    assert {json.loads(line)["what"] for line in said.splitlines()} >= {"too many callers"}


def test_the_same_fault_is_one_line_a_minute() -> None:
    lines, now = io.StringIO(), [0.0]
    log.start()
    handler = logging.getLogger("millrace").handlers[0]
    assert isinstance(handler, logging.StreamHandler)
    handler.setStream(lines)
    faults = ServerErrors(lambda: now[0])
    record = logging.LogRecord("asyncio", logging.ERROR, "", 0, "socket.accept() fails\nmore", (), None)
    for now[0] in (0.0, 1.0, 59.0, 61.0):
        faults.handle(record)
        faults.note("another")
    said = [json.loads(line)["what"] for line in lines.getvalue().splitlines()]
    assert said == ["socket.accept() fails", "another"] * 2
