"""Ctrl-C ends a command with one line and exit code 130, wherever it interrupts."""

import gc
import os
import signal
import threading
from collections.abc import Callable, Iterator

import click
import duckdb
import pytest

from millrace import interrupts
from millrace.cli import main as cli, watch
from millrace.extract.budget import RateBudget
from millrace.extract.deadline import Deadline, OutOfTime

# Some seconds: DuckDB looks for signals only while the main thread works on the query. The connection is opened before,
# as the modules that this imports would swallow a signal.
LONG = "SELECT sum(a.range * b.range) FROM range(1_000_000) a, range(1_000) b"
CONNECTION = duckdb.connect()


@pytest.fixture
def soon() -> Iterator[Callable[[], None]]:
    """Yield a function that sends Ctrl-C to this process half a second later, even if tests run in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))
    yield timer.start
    timer.cancel()
    timer.join()
    signal.signal(signal.SIGINT, before)


def at_once() -> None:
    raise KeyboardInterrupt


def within_a_query() -> None:
    CONNECTION.execute(LONG)


def within_a_library_that_makes_an_error_of_it() -> None:
    try:
        threading.Event().wait(60)
    except KeyboardInterrupt:
        raise OSError("interrupted system call") from None


@pytest.mark.parametrize("work", [at_once, within_a_query, within_a_library_that_makes_an_error_of_it])
def test_ctrl_c_is_one_line_and_130(
    work: Callable[[], None], soon: Callable[[], None], capsys: pytest.CaptureFixture[str]
) -> None:
    def begin() -> None:
        soon()
        work()

    assert cli.main([], click.Command("run", callback=begin)) == 130
    assert capsys.readouterr().err.strip() == "error: interrupted; run it again to go on"


class Swallowing:
    """Ends a wait in its finalizer, where Python ignores every error."""

    def __del__(self) -> None:
        threading.Event().wait(60)


def swallow() -> None:
    swallowing = Swallowing()
    del swallowing
    gc.collect()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("work", [within_a_query, within_a_library_that_makes_an_error_of_it, swallow])
def test_ctrl_c_ends_a_watch_whatever_becomes_of_it(work: Callable[[], None], soon: Callable[[], None]) -> None:
    acted = []

    def act(only: object) -> None:
        acted.append(only)
        soon()
        work()

    def go_on() -> Iterator[None]:
        while not interrupts.is_asked():
            yield None

    def follow() -> None:
        with interrupts.raising(signal.SIGINT, signal.SIGTERM):
            watch.insist(go_on(), act, lambda: None, lambda: 0.0)

    if work is swallow:
        follow()
    else:
        with pytest.raises(KeyboardInterrupt):
            follow()
    assert acted == [None]


def test_a_signal_that_is_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with interrupts.raising(signal.SIGINT):
            os.kill(os.getpid(), signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_ctrl_c_ends_the_wait_of_a_thread_and_the_next_request_of_a_delivery(soon: Callable[[], None]) -> None:
    budget, deadline = RateBudget(None, 1), Deadline()
    ended: list[BaseException] = []
    over = threading.Event()

    def delivery() -> None:
        try:
            budget.refused(3600, deadline)  # as for an hourly limit
            deadline.require()
        except OutOfTime as stop:
            ended.append(stop)
        over.set()

    thread = threading.Thread(target=delivery, daemon=True)

    def command() -> None:
        thread.start()
        soon()
        try:
            over.wait(60)
        finally:
            thread.join(60)

    assert cli.main([], click.Command("wait", callback=command)) == 130
    assert (len(ended), thread.is_alive()) == (1, False)
    deadline.require()  # the next command is not interrupted
