"""What is read of GitHub and Cursor into one warehouse, so that the marts can be compared with its truth."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from tests.extract.github.reading import client_of
from tests.proofs.github import cursor
from tests.proofs.github.account import END, Account, opened
from tests.proofs.github.marts import GRAINS, Read
from tests.proofs.github.wrong_clocks import company_with_wrong_clocks
from tests.proofs.parity import engines
from tests.proofs.parity.engines import Engine
from tests.proofs.parity.extracted import extract_world
from tests.proofs.parity.wrong_clocks import world_with_wrong_clocks

import simulator
from millrace import runs
from millrace.bus.events import TaskEvent
from millrace.bus.in_process import LocalBus
from millrace.extract import task
from millrace.extract.graphql import GraphQL
from millrace.extract.sources.github.rows import Texts
from millrace.extract.sources.github.source import GitHubSource
from millrace.extract.task import Extractor
from millrace.laptop.data_dir import DataDir
from millrace.runs import Origin, RunRequest
from simulator.github import DEFAULT_TOKEN, Clock, Company, Knobs, generate, served
from simulator.github.model import Account as Owner, Commit, PullRequest
from simulator.github.pushing import amend, merge_again, rebase
from simulator.github.times import instant, seconds
from simulator.world import World

ODD = Knobs(
    ghost_author=True,
    bot_author=True,
    deleted_fork=True,
    dismissed_review=True,
    pending_review=True,
    long_reviews=31,
    force_push=True,
    squash_merges=True,
    eventful=True,
)
BUSY = replace(ODD, touched_between_pages=3, opened_between_pages=1, pushed_between_pages=1)
_ONLY = ("--select", *(f"+{name}" for name in GRAINS), "--exclude-resource-type", "test", "unit_test")


CURSOR, FIFTHS = "gamma", "delta"
"""The accounts of Cursor's page, and of the company of which it has four of five commits."""


@dataclass
class Scene:
    """A warehouse on DuckDB, and the folder of the lake that it was loaded from."""

    account: Account
    engine: Engine
    lake: Path

    def read_cursor(self, world: World) -> World:
        """Read Cursor's page, and load it; return what was served."""
        with simulator.serve(world, key="key_of-the-page") as source:
            extract_world(self.account.pipeline.lake, source.url, self.account.now(), "key_of-the-page", CURSOR)
        self.load(self.engine)
        return world

    def load(self, engine: Engine) -> None:
        """Load everything of the lake that is not loaded yet."""
        lake = self.account.pipeline.lake
        engine.load(lake, [stored.version for stored in lake.list("raw/")])

    def build(self, engine: Engine | None = None) -> None:
        """Build the delivery marts; what cannot be built fails the test."""
        outcomes = (engine or self.engine).build(*_ONLY)
        assert [f"{each.node}: {each.message}" for each in outcomes if not each.is_good] == []


@contextmanager
def staged(folder: Path) -> Iterator[Scene]:
    """Yield an empty scene."""
    with opened(folder) as account:
        place = DataDir(folder / "data")
        engine = engines.of_duckdb(account.pipeline.warehouse, place.warehouse, folder)
        yield Scene(account, engine, place.lake)


def renamed_and_moved(scene: Scene, pulls: int = 56) -> Read:
    """Read an account twice, with pushes, merges and a rename between, and two others.

    There are more pull requests than on a page, so that the second reading leaves some with the name that was.
    A repository moved to the second one, which has one of another server, too. The third has five commits in each pull
    request, and four of them are on Cursor's page. Clocks were wrong in the fourth, and in the rows beside that page.
    """
    company, account = generate(3, pulls, seed=31, days=60, end=END), scene.account
    with account.reading(company, ODD):
        account.run("full")
    account.clock.advance(24 * 3600)
    _go_on(company, account.clock)
    company.rename(company.repositories[0], "store")
    other = _moved(company)
    _add_one_of_another_server(other, company.repositories[1].id)
    with account.reading(company, ODD):
        account.run("changes")
    fifths = _of_five_commits(pulls)
    wrong = company_with_wrong_clocks(pulls, END)
    for each in (other, fifths, wrong):
        account.clock.advance(3600)
        _read_directly(account, each, Knobs(squash_merges=True))
    own = simulator.generate(developers=3, days=14, seed=5, end=datetime.fromisoformat(END))
    pages = [*cursor.rows_of(_all_of(company, other, wrong)), *cursor.four_fifths_of(fifths)]
    beside = world_with_wrong_clocks(own, END)
    world = scene.read_cursor(cursor.page(_all_of(company, other, fifths, wrong), pages, beside))
    assert account.failures == []
    return Read((company, other, fifths, wrong), world, CURSOR)


def while_others_work(scene: Scene, pulls: int = 300) -> Read:
    """Read one repository while others work in it, then what changed, and at last what is left, in peace."""
    company = generate(1, pulls, seed=21, days=200, end=END)
    account = scene.account
    for knobs, scopes in ((BUSY, ("full", "changes")), (ODD, ("changes",))):
        with account.reading(company, knobs):
            for scope in scopes:
                account.run(scope)
    world = scene.read_cursor(cursor.page(company, cursor.rows_of(company)))
    assert account.failures == []
    return Read((company,), world, CURSOR)


def _of_five_commits(pulls: int) -> Company:
    """Return a company with five commits in each pull request; some of them are pushed by force."""
    company = generate(1, pulls, seed=41, days=60, end=END, account=FIFTHS)
    (repository,) = company.repositories
    repository.id += 50  # an equal id, created at the same instant, would be the repository of the first account
    for place, pull in enumerate(repository.pulls):
        _have_five_commits(pull)
        if place % 3 == 1:
            rebase(pull, repository)
        elif place % 3 == 2:
            amend(pull, repository)
    return company


def _have_five_commits(pull: PullRequest) -> None:
    """Replace the branch by five commits, a minute apart."""
    old, first = pull.commits, pull.commits[0]
    pull.commits = []
    parent = first.parents[0]
    for place in range(5):
        at = instant(seconds(first.authored_at) + 60 * place)
        sha = f"{int(first.sha, 16) ^ (place << 140):040x}"
        pull.commits.append(replace(first, sha=sha, authored_at=at, committed_at=at, parents=(parent,)))
        parent = sha
    pull.additions = sum(each.additions for each in pull.commits)
    pull.deletions = sum(each.deletions for each in pull.commits)
    merge_again(pull, pull.repository, old)


def _go_on(company: Company, clock: Clock) -> None:
    """Push over the branch of each open pull request; merge every other one."""
    for repository in company.repositories:
        open_ones = [each for each in repository.pulls if each.state == "OPEN"]
        for place, pull in enumerate(open_ones):
            clock.advance(60)
            pull.updated_at = clock.instant()
            rebase(pull, repository)
            if place % 2 == 0:
                _merge(pull, clock)


def _merge(pull: PullRequest, clock: Clock) -> None:
    """Squash the branch into the default branch, 30 seconds later."""
    clock.advance(30)
    now, history = clock.instant(), pull.repository.history
    by = pull.repository.history[0].author
    sha = f"{int(pull.head_sha, 16) ^ (1 << 149):040x}"
    title, parents = f"{pull.title} (#{pull.number})", (history[0].sha,)
    pull.merge_commit = Commit(
        sha, now, now, pull.additions, pull.deletions, title, "Kim", "kim@acme.test", by, parents
    )
    pull.repository.history = [pull.merge_commit, *history]
    pull.state, pull.is_draft = "MERGED", False
    pull.updated_at = pull.merged_at = pull.closed_at = now
    pull.merged_by = by


def _moved(company: Company) -> Company:
    """Move the last repository to another account; return the company of that account."""
    owner = Owner("beta", 9_300, "Organization")
    repository = company.repositories.pop()
    repository.owner = owner
    other = Company(owner, company.people, [repository], company.end)
    other.former_names[f"{company.account.login}/{repository.name}".lower()] = repository
    return other


def _add_one_of_another_server(company: Company, number: int) -> None:
    """Add a repository with the id of one of the other account, and with ids of pull requests that are there too."""
    (repository,) = generate(1, 12, seed=32, days=50, end=END).repositories
    repository.id, repository.name, repository.owner = number, "tools", company.account
    company.repositories.append(repository)


def _all_of(*companies: Company) -> Company:
    first = companies[0]
    return Company(first.account, first.people, [one for each in companies for one in each.repositories], first.end)


def _read_directly(account: Account, company: Company, knobs: Knobs) -> None:
    """Run all tasks of a run that reads everything of another account, each after its parent."""
    name, lake = company.account.login, account.pipeline.lake
    with served(company, knobs, clock=account.clock) as github:
        client = client_of(github.url, github.clock, DEFAULT_TOKEN)
        source = GitHubSource(GraphQL(client), name, texts=Texts(bodies=True))
        extractor = Extractor(lake, LocalBus(), source, name, account.now)
        plan = runs.start(lake, extractor.bus, RunRequest(account.now(), scope="full"), Origin("github", name))
        while waiting := runs.tasks_of(lake, plan).waiting:
            for task_id in waiting:
                task.extract(extractor, TaskEvent.of(plan.run_id, task_id))
