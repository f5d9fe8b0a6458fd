"""A small company on the simulated GitHub, served, and a client of it."""

import contextlib
from collections.abc import Callable, Iterator

import pytest
from tests.simulator.github.client import GitHubClient

from simulator.github import Company, Knobs, generate, served

Serve = Callable[..., GitHubClient]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Return a function that serves a company with some knobs, and returns a client of it."""
    with contextlib.ExitStack() as stack:

        def start(company: Company | None = None, prefix: str = "", **knobs: object) -> GitHubClient:
            running = stack.enter_context(served(company or generate(), Knobs(**knobs)))  # type: ignore[arg-type]
            return GitHubClient(running, prefix=prefix)

        yield start


@pytest.fixture(scope="module")
def client() -> Iterator[GitHubClient]:
    """A client of a company of three repositories, without any awkwardness."""
    with served(generate()) as running:
        yield GitHubClient(running)
