"""The truth is what a client reads that follows every cursor."""

from typing import Any

from tests.simulator.github.conftest import Serve
from tests.simulator.github.reading import read_everything

from millrace.tables import TABLES
from simulator.github import generate, truth

DATA = {
    "ghost_author": True,
    "bot_author": True,
    "deleted_fork": True,
    "dismissed_review": True,
    "pending_review": True,
    "long_reviews": 31,
    "long_commits": 260,
    "force_push": True,
    "squash_merges": True,
}


def sorted_rows(tables: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    """Return the tables with the columns and the rows of each in one order."""
    return {
        name: sorted(({key: row[key] for key in sorted(row)} for row in rows), key=repr)
        for name, rows in tables.items()
    }


def true_rows(company: Any) -> dict[str, list[dict[str, Any]]]:
    rows = truth.rows(company)
    del rows["identities"]
    return sorted_rows(rows)


def test_naive_client_reads_truth(serve: Serve) -> None:
    client = serve()

    assert sorted_rows(read_everything(client)) == true_rows(client.served.company)


def test_naive_client_reads_truth_of_odd_data(serve: Serve) -> None:
    client = serve(generate(repositories=2, pulls=25, seed=3), **DATA)

    assert sorted_rows(read_everything(client)) == true_rows(client.served.company)


def test_truth_has_columns_of_raw_tables() -> None:
    company = generate()
    for name, rows in truth.rows(company).items():
        assert set(rows[0]) == set(TABLES[name].columns.names), name


def test_identities_are_accounts_of_commits() -> None:
    company = generate(repositories=1, pulls=60)
    commits = truth.rows(company)["github_commits"]
    expected = {(each["author_login"], each["author_email"]) for each in commits}

    found = truth.rows(company)["identities"]

    assert {(each["account_id"], each["email"]) for each in found} == expected
    assert len(found) == len(expected)


def test_totals_are_those_of_source(serve: Serve) -> None:
    client = serve()
    expected = {each.id: len(each.pulls) for each in client.served.company.repositories}

    assert {key: each["pull_requests"] for key, each in truth.totals(client.served.company).items()} == expected
