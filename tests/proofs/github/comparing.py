"""Raw tables against the truth of a company, and what is shown to be complete against what is there."""

from collections.abc import Collection, Mapping
from typing import Any

from tests.proofs.github.account import NAME, Account, Row

from millrace.tables import TABLES
from simulator.github import Company, truth

Keyed = dict[tuple[Any, ...], Row]
_OBJECTS = {"pull_requests": ("github_pull_requests", "number"), "commits": ("github_commits", "sha")}
ABSENT = ("*",)
"""Of a table: it is not read at all."""
_SHOWN = 3


def differences(account: Account, company: Company, unsaid: Mapping[str, Collection[str]] | None = None) -> list[str]:
    """Return each raw table's rows that are missing or too many, and its cells that differ from the truth.

    Columns of `unsaid` are left out, by table: what this way of reading does not say.
    """
    found: list[str] = []
    for table, rows in truth.rows(company).items():
        if (unsaid or {}).get(table) == ABSENT:
            continue
        wanted, held = keyed(table, rows), keyed(table, account.rows(table))
        left_out = set((unsaid or {}).get(table, ()))
        found += _named(table, "missing", wanted.keys() - held.keys())
        found += _named(table, "too many", held.keys() - wanted.keys())
        for key in wanted.keys() & held.keys():
            for name in wanted[key].keys() - left_out:
                if wanted[key][name] != held[key][name]:
                    found.append(f"{table} {key}: {name} is {held[key][name]!r}, expected {wanted[key][name]!r}")
        if len(rows) != len(wanted) or len(held) != len(account.rows(table)):
            found.append(f"{table} has a key twice")
    return found


def keyed(table: str, rows: Collection[Row]) -> Keyed:
    """Return rows by their keys."""
    return {tuple(row[name] for name in TABLES[table].key): row for row in rows}


def silently_short(account: Account, company: Company, listed: Collection[int] | None = None) -> list[str]:
    """Return what is missing without a word.

    Each listed repository has a window for pull requests and one for commits. Where one is shown as known, every key
    of the truth is in the raw table, and there are as many different ones as it says. Where it is not, it has a reason.
    The list of repositories is known only when every repository of the account is in it.
    """
    windows, found = account.windows(), []
    for each in listed if listed is not None else [row["repo_id"] for row in account.rows("github_repos")]:
        for what, (table, name) in _OBJECTS.items():
            window = windows.get((what, str(each)))
            if window is None:
                found.append(f"{what} of {each}: nothing says whether they are here")
            elif window["state"] in ("known", "known_empty"):
                wanted = _keys_of(company, each, what)
                held = {row[name] for row in account.rows(table) if row["repo_id"] == each}
                found += _named(f"{what} of {each}", "missing, and shown as known", wanted - held)
                if not window["row_count"] == window["source_total"] <= len(held):
                    count, total = window["row_count"], window["source_total"]
                    found.append(f"{what} of {each}: known with {count} of {total}, and {len(held)} are here")
            elif not window["reason"]:
                found.append(f"{what} of {each}: {window['state']} without a reason")
    hidden = [each.name for each in company.repositories if each.is_hidden_by_sso]
    everyone = windows.get(("repositories", "all"))
    if everyone is None or (hidden and everyone["state"] == "known"):
        found.append(f"repositories of {NAME}: shown as known, or not at all; hidden are {hidden}")
    return found


def _keys_of(company: Company, repo_id: int, what: str) -> set[Any]:
    """Return the pull requests of a repository, or the commits of its default branch."""
    repository = company.by_id(repo_id)
    if repository is None:
        return set()
    if what == "commits":
        return {commit.sha for commit in repository.history}
    return {pull.number for pull in repository.pulls} if repository.has_pull_requests else set()


def _named(what: str, how: str, keys: Collection[Any]) -> list[str]:
    some = sorted(map(str, keys))[:_SHOWN]
    return [f"{what}: {len(keys)} {how}: {', '.join(some)}"] if keys else []
