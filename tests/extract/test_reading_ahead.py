"""The next page is fetched while this one is processed, which does not change the rows."""

import threading
import time
from collections.abc import Iterator

import pytest

from millrace.extract.ahead import read_ahead


def read_ahead_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "read-ahead"]


def failing(after: int, error: BaseException) -> Iterator[int]:
    yield from range(after)
    raise error


def test_items_come_in_their_order() -> None:
    assert list(read_ahead(range(1000))) == list(range(1000))


def test_nothing_comes_of_nothing() -> None:
    assert list(read_ahead([])) == []


def test_a_thread_ends_with_its_items() -> None:
    list(read_ahead(range(3)))
    assert read_ahead_threads() == []


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt(), SystemExit(3)], ids=repr)
def test_an_error_comes_after_the_items_before_it(error: BaseException) -> None:
    got: list[int] = []
    with pytest.raises(type(error)) as caught:
        got.extend(read_ahead(failing(3, error)))
    assert got == [0, 1, 2]
    assert caught.value is error
    assert read_ahead_threads() == []


def test_a_reader_that_leaves_stops_the_thread_of_an_endless_source() -> None:
    def endless() -> Iterator[int]:
        while True:
            yield 1

    for _ in read_ahead(endless()):
        break
    deadline = time.monotonic() + 300
    while read_ahead_threads() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert read_ahead_threads() == []


def test_a_slow_reader_is_not_overrun() -> None:
    fetched: list[int] = []

    def noting() -> Iterator[int]:
        for number in range(100):
            fetched.append(number)
            yield number

    reading = iter(read_ahead(noting()))
    next(reading)
    time.sleep(0.05)
    assert len(fetched) <= 5
    assert list(reading) == list(range(1, 100))


def test_the_next_item_is_fetched_while_this_one_is_worked_on() -> None:
    is_second_fetched = threading.Event()

    def noting() -> Iterator[int]:
        yield 1
        is_second_fetched.set()
        yield 2

    reading = iter(read_ahead(noting()))
    assert next(reading) == 1
    assert is_second_fetched.wait(timeout=300)
    assert list(reading) == [2]
