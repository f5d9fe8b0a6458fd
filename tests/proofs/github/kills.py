"""Runs whose process is ended by SIGKILL at seeded requests, and taken up by the next one until they are complete.

A kill is while the answer is on its way, or some milliseconds after it. Equal requests are counted by the server: the
same query with the same variables.
"""

import tempfile
import threading
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import Random

from tests.proofs.github.account import END, opened
from tests.proofs.github.child import Child
from tests.proofs.github.comparing import differences

from simulator.answers import SimulatedRequest, SimulatedResponse
from simulator.github import Clock, Company, Knobs, generate
from simulator.github.api import SimulatedGitHub
from simulator.server import listening

KNOBS = Knobs(long_reviews=31, long_commits=260, force_push=True)
_PAGES = ("Repositories", "PullRequests", "History")
_MOST_AFTER_S = 0.2
_OF_A_PROCESS = "Offered"  # what a server offers is asked by each process


@dataclass(frozen=True)
class Outcome:
    """The outcome of a killed run. `again` are the requests that were made once more, by operation."""

    seed: int
    kills: int
    requests: int
    again: Counter[str]
    wrong: tuple[str, ...]

    @property
    def pages_again(self) -> int:
        """The pages that were requested once more."""
        return sum(self.again[name] for name in _PAGES)

    def __str__(self) -> str:
        again = ", ".join(f"{name} {count}" for name, count in sorted(self.again.items())) or "nothing"
        told = f"seed {self.seed}: {self.kills} kills, {self.requests} requests, once more: {again}"
        return told + (f"; WRONG: {'; '.join(self.wrong[:5])}" if self.wrong else "; rows as the truth")


class _Deadly:
    """A simulated GitHub that kills its client at some of the requests."""

    def __init__(self, api: SimulatedGitHub, at: dict[int, float]) -> None:
        self.api = api
        self.child: Child | None = None
        self.kills = 0
        self._at = at

    requests = property(lambda self: self.api.requests)
    rate_limited = property(lambda self: self.api.rate_limited)

    def answer_request(self, request: SimulatedRequest) -> tuple[SimulatedResponse, bool]:
        """Answer; kill the client before it has the answer, or a moment after."""
        answer = self.api.answer_request(request)
        after_s = self._at.pop(self.api.requests, None)
        if after_s is not None and self.child is not None:
            self.kills += 1
            if after_s:
                threading.Timer(after_s, self.child.kill).start()
            else:
                self.child.kill()
        return answer


def killed(seed: int, repositories: int, pulls: int, most: int) -> Outcome:
    """Read an account in full, with up to `most` kills; compare with the truth."""
    random = Random(seed)  # noqa: S311 a seeded order is the point
    company = generate(repositories, pulls, seed=seed, end=END)
    api = SimulatedGitHub(company, KNOBS, Clock(END))
    expected = 4 + repositories * (pulls // 50 + pulls // 20)
    places = random.sample(range(2, expected), most)
    deadly = _Deadly(api, {place: random.choice((0.0, random.uniform(0.0, _MOST_AFTER_S))) for place in places})
    with tempfile.TemporaryDirectory(prefix="kills-") as name, listening(deadly) as server:
        folder, at, codes = Path(name), datetime.fromtimestamp(api.clock.now_s(), UTC), [-1]
        while codes[-1] < 0:  # it was killed
            deadly.child = Child(folder, server.url, api.clock, at, "full")
            codes.append(deadly.child.wait())
        wrong = _wrong(folder, company, codes)
    counts = Counter((each.operation or each.path, each.digest) for each in api.log.requests)
    again: Counter[str] = Counter()
    for (operation, _), count in counts.items():
        if operation != _OF_A_PROCESS:
            again[operation] += count - 1
    return Outcome(seed, deadly.kills, api.requests, +again, tuple(wrong))


def _wrong(folder: Path, company: Company, codes: list[int]) -> list[str]:
    with opened(folder) as account:
        wrong = differences(account, company, {"identities": ("seen_in",)})
        states = {row["state"] for row in account.rows("source_windows")}
    return [
        *([] if codes[-1] == 0 else [f"the processes ended with {codes}"]),
        *([] if states == {"known"} else [f"states {states}"]),
        *wrong,
    ]
