"""A small generated world, served, and clients for it."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
import requests
from tests.simulator.client import Client

import simulator

END = datetime(2026, 11, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="session")
def world() -> simulator.World:
    """Five developers, thirty days."""
    return simulator.generate(developers=5, days=30, seed=7, end=END)


@pytest.fixture(scope="session")
def connect() -> Iterator[Callable[[str], Client]]:
    """Return a function that makes clients, which are closed at the end of the test."""
    with requests.Session() as session:
        session.trust_env = False
        yield lambda url: Client(url, session)


@pytest.fixture(scope="session")
def client(world: simulator.World, connect: Callable[[str], Client]) -> Iterator[Client]:
    """A client of the generated world, without a rate limit."""
    with simulator.serve(world) as running:
        yield connect(running.url)
