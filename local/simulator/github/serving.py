"""A simulated GitHub in a thread of this process."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from simulator.github.api import SimulatedGitHub
from simulator.github.clock import Clock
from simulator.github.credentials import DEFAULT_TOKEN, App
from simulator.github.knobs import Knobs
from simulator.github.model import Company
from simulator.github.wire import RequestLog
from simulator.server import listening


@dataclass(frozen=True, slots=True)
class Served:
    """A simulated GitHub that is listening at `url`."""

    url: str
    log: RequestLog
    clock: Clock
    company: Company


@contextlib.contextmanager
def served(
    company: Company,
    knobs: Knobs | None = None,
    *,
    token: str = DEFAULT_TOKEN,
    app: App | None = None,
    clock: Clock | None = None,
) -> Iterator[Served]:
    """Serve a company while the context lasts; without a clock it begins at the company's end, and stands still.

    Raises ValueError when a knob names a repository that the company does not have.
    """
    api = SimulatedGitHub(company, knobs or Knobs(), clock or Clock(company.end), token=token, app=app)
    with listening(api) as running:
        yield Served(running.url, api.log, api.clock, company)
