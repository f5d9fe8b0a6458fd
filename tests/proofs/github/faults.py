"""Each fault of a GitHub, once through the functions as they are deployed: what is here, what is shown, the cost."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.extract.github.test_rest import UNSAID as BY_REST
from tests.proofs.github.account import END, Account, Row, opened
from tests.proofs.github.comparing import ABSENT, differences, silently_short
from tests.proofs.github.honest import NAMES

from millrace.laptop.project import PROJECT
from simulator.github import Company, Knobs, generate

HEAD = "| fault | pull requests here | shown | requests |\n|---|---|---|---|"
PAGE = "docs/connect-github.md"
_REPOSITORIES, _PULLS = 2, 120
_PULL_REQUESTS = "github_pull_requests"
_ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+")


@dataclass(frozen=True)
class Fault:
    """A fault: `is_whole` where every cell has to be the truth all the same, but for the columns `unsaid`."""

    name: str
    knobs: Knobs
    is_app: bool = False
    is_whole: bool = True
    unsaid: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


_SHORTER = {table: tuple(names) for table, names in BY_REST.items()} | {
    "github_pull_request_events": ABSENT,
}
FAULTS = (
    Fault("none", Knobs()),
    Fault("the token of an App expires", Knobs(token_expires_at=7), is_app=True),
    Fault("a token that cannot be renewed expires", Knobs(token_expires_at=7), is_whole=False),
    Fault("secondary limits without headers", Knobs(secondary_without_headers_at=(3, 8))),
    Fault("secondary limits with `Retry-After`, and at status 200", Knobs(secondary_at=(3,), secondary_at_200=(8,))),
    Fault("the hourly limit is used up", Knobs(rate_limited_at=(6,))),
    Fault("six answers 502 in a row", Knobs(bad_gateways=tuple(range(7, 13)))),
    Fault("sixteen answers 502 in a row", Knobs(bad_gateways=tuple(range(7, 23))), is_whole=False),
    Fault("502 for all that is large", Knobs(too_heavy_above_nodes=2_000)),
    Fault("parts of the data, with errors", Knobs(partial_at=(6, 9, 12))),
    Fault("a repository is renamed between pages", Knobs(renamed_between_pages=(("api", "service"),)), unsaid=NAMES),
    Fault(
        "a repository is moved to another owner between pages",
        Knobs(transferred_between_pages=(("api", "friends"),)),
        is_whole=False,
    ),
    Fault("another repository takes the name between pages", Knobs(replaced_between_pages=("api",)), is_whole=False),
    Fault("a repository is deleted after the listing", Knobs(deleted_after_listing=("api",)), is_whole=False),
    Fault("31 reviews and more", Knobs(long_reviews=131)),
    Fault("260 commits of a pull request", Knobs(long_commits=260)),
    Fault("an author whose account is deleted, and a bot", Knobs(ghost_author=True, bot_author=True)),
    Fault("single sign-on hides a repository", Knobs(sso_hidden=("api",))),
    Fault(
        "the token may not read a repository",
        Knobs(forbidden=("api",)),
        unsaid={
            "github_repos": (
                "default_branch",
                "open_pull_requests_count",
                "total_pull_requests_count",
            )
        },
    ),
    Fault("pull requests are turned off, a repository is empty", Knobs(pulls_disabled=("api",), empty=("shop",))),
    Fault("the total drops while it is read", Knobs(vanishing_pulls=2), is_whole=False),
    Fault("no GraphQL", Knobs(has_graphql=False), unsaid=_SHORTER),
    Fault("no GraphQL, and 260 commits of a pull request", Knobs(has_graphql=False, long_commits=260), is_whole=False),
)


@dataclass(frozen=True)
class Outcome:
    """The outcome of a fault: `wrong` is what was short without a word, or a cell that differs."""

    fault: Fault
    here: int
    at_source: int
    shown: tuple[str, ...]
    requests: int
    wrong: tuple[str, ...]

    def __str__(self) -> str:
        shown = "; ".join(self.shown)
        return f"| {self.fault.name} | {self.here} of {self.at_source} | {shown} | {self.requests} |"


def promised() -> list[str]:
    """Return the rows of the table on PAGE."""
    _, _, table = (PROJECT / PAGE).read_text().partition(HEAD + "\n")
    return table.partition("\n\n")[0].splitlines()


def outcome_of(fault: Fault, folder: Path) -> Outcome:
    """Read an account in full through a fault."""
    company = generate(_REPOSITORIES, _PULLS, seed=41, end=END)
    with opened(folder) as account:
        with account.reading(company, fault.knobs, fault.is_app) as github:
            at_source = sum(len(each.pulls) for each in company.repositories if each.has_pull_requests)
            run_id = account.run("full")
        here, shown, wrong = len(account.rows(_PULL_REQUESTS)), list(_shown(account)), account.sent.problems()
        if account.failures:
            wrong += ["a run with a failure is complete"] if account.is_final(run_id) else []
            shown += _taken_up(account, company, run_id)
        wrong += silently_short(account, company)
        if fault.is_whole or account.failures:
            wrong += differences(account, company, _unsaid(fault))
    return Outcome(fault, here, at_source, tuple(shown), len(github.log.requests), tuple(wrong))


def _taken_up(account: Account, company: Company, run_id: str) -> list[str]:
    """Return why a run failed, and what is here after a sweep has taken it up, without the fault."""
    reasons = dict.fromkeys(_plain(each.partition(": ")[2]) for each in account.failures)
    with account.reading(company, Knobs()):
        account.sweep()
    final = "complete" if account.is_final(run_id) else "not complete"
    return [*(f"the run waits: {each}" for each in reasons), f"then {final}, {len(account.rows(_PULL_REQUESTS))} here"]


def _unsaid(fault: Fault) -> dict[str, tuple[str, ...]]:
    """Return the columns that are not compared: where an identity was last seen depends on the order of the tasks."""
    return {**fault.unsaid, "identities": ("seen_in",)}


def _shown(account: Account) -> Iterator[str]:
    """Yield the windows that are not simply known, and how many are."""
    windows = account.windows()
    plain = [row for row in windows.values() if row["state"] == "known" and not row["reason"]]
    if plain:
        yield f"{len(plain)} `known`"
    by_state: dict[tuple[str, str], list[Row]] = {}
    for row in windows.values():
        if row not in plain:
            by_state.setdefault((row["state"], _plain(row["reason"] or "")), []).append(row)
    for (state, reason), rows in by_state.items():
        of = ", ".join(f"{row['object']} of {row['name']}" for row in sorted(rows, key=lambda row: row["object"]))
        yield f"{of.replace('_', ' ')} `{state}`" + (f": {reason}" if reason else "")


def _plain(reason: str) -> str:
    """Return a reason without an address that is another one each time, as one cell of a table."""
    return _ADDRESS.sub("https://api.github.com", reason).replace("|", "/").replace("\n", " ")
