"""A large account at GitHub's documented limits: requests, points, time, memory, and every row.

The extraction is a process of its own, the simulator is in this one. Its clock stands still, but for `ANSWER_S` an
answer (SOURCES §2.8 assumes two to four seconds a page) and the waits of the client.
"""

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import Random

from tests.proofs.github.account import END, Account, opened
from tests.proofs.github.child import Child
from tests.proofs.github.comparing import differences

from millrace.laptop import in_process
from simulator.github import Clock, Company, Knobs, Served, generate, served
from simulator.github.model import Review
from simulator.github.times import instant

ANSWER_S = 3.0
TOUCHED = 500


@dataclass(frozen=True)
class Measured:
    """One run: `seconds` are the simulated clock's, `waited_s` of them for limits; `real_s` are this machine's."""

    what: str
    requests: int
    points: int
    seconds: float
    waited_s: float
    real_s: float
    peak_mib: float
    wrong: tuple[str, ...] = ()

    def __str__(self) -> str:
        told = f"{self.what}: {self.requests:,} requests, {self.points:,} points, {self.seconds / 3600:.2f} h "
        told += f"(waited {self.waited_s / 3600:.2f} h), {self.real_s:.0f} s here, peak {self.peak_mib:.0f} MiB"
        return told + (f", WRONG: {'; '.join(self.wrong[:5])}" if self.wrong else ", rows as the truth")


@dataclass
class Large:
    """An account that is served, and a data directory for its runs."""

    folder: Path
    github: Served

    def run(self, what: str, scope: str) -> Measured:
        """Extract in a process of its own; then load here, and compare each cell with the truth."""
        github, clock = self.github, self.github.clock
        clock.advance(3600)
        before, points, began_s = len(github.log.requests), github.log.points, clock.now_s()
        started = time.monotonic()
        at = datetime.fromtimestamp(began_s, UTC)
        child = Child(self.folder, github.url, clock, at, scope, loads=False)
        code = child.wait()
        real_s, seconds = time.monotonic() - started, clock.now_s() - began_s
        wrong = [] if code == 0 else [f"the extraction ended with {code}"]
        with opened(self.folder) as account:
            wrong += self._loaded(account)
        return Measured(
            what,
            len(github.log.requests) - before,
            github.log.points - points,
            seconds,
            child.waited_s,
            real_s,
            child.peak_mib,
            tuple(wrong),
        )

    def _loaded(self, account: Account) -> list[str]:
        in_process.recover(account.pipeline, lambda line: None)
        states = {row["state"] for row in account.rows("source_windows")}
        # A commit of a pull request is on the default branch too: which of both tasks saw it last is no matter.
        unsaid = {"identities": ("seen_in",)}
        return [
            *([] if states == {"known"} else [f"states {states}"]),
            *differences(account, self.github.company, unsaid),
        ]


@contextmanager
def large(repositories: int, pulls: int, seed: int = 31) -> Iterator[Large]:
    """Serve an account of so many repositories with so many pull requests each."""
    company = generate(repositories, pulls, seed=seed, end=END)
    knobs = Knobs(response_s=ANSWER_S)
    with tempfile.TemporaryDirectory(prefix="large-") as name, served(company, knobs, clock=Clock(END)) as github:
        yield Large(Path(name), github)


def touch(company: Company, clock: Clock, count: int) -> None:
    """Add a review to so many pull requests of the account, as on a day of work."""
    random = Random(count)  # noqa: S311 a seeded order is the point
    pulls = [pull for repository in company.repositories for pull in repository.pulls]
    for number, pull in enumerate(random.sample(pulls, count)):
        clock.advance(86_400 / count)
        pull.updated_at = now = instant(clock.now_s())
        pull.reviews.append(Review(4_950_000_000 + number, company.people[0], "APPROVED", now, now, 1, pull.head_sha))


def measure(repositories: int, pulls: int) -> Iterator[Measured]:
    """Yield the first full reading; and where there are enough pull requests, that of a day with `TOUCHED`."""
    with large(repositories, pulls) as one:
        what = f"{repositories} repositories of {pulls:,} pull requests"
        yield one.run(what, "full")
        if repositories * pulls >= 100 * TOUCHED:
            touch(one.github.company, one.github.clock, TOUCHED)
            yield one.run(f"a day with {TOUCHED} touched of them", "changes")
