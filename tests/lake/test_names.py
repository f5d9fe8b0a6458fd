"""An object's name has one meaning, or it is refused with a reason that fits on one line."""

import re
from datetime import UTC, date, datetime

import pytest
from hypothesis import given, strategies as st

from millrace.errors import BadObject
from millrace.lake import names
from millrace.lake.names import (
    ArtifactKey,
    CursorKey,
    DroppedFile,
    FinalKey,
    ObjectKey,
    PlanKey,
    RateKey,
    RawPart,
    TaskKey,
)
from millrace.tables import ENDPOINTS, EXTRACTED

tables = st.sampled_from(sorted(EXTRACTED))
endpoints = st.sampled_from(sorted(ENDPOINTS))
accounts = st.one_of(st.just(""), st.from_regex(re.compile(names.ACCOUNT, re.ASCII), fullmatch=True))
moments = st.datetimes().filter(lambda moment: moment.year >= 1000)
run_ids = st.builds(
    lambda moment, account: f"{moment:%Y%m%dT%H%M%SZ}" + (f"-{account}" if account else ""), moments, accounts
)
task_ids = st.one_of(
    st.from_regex(names.TASK_ID, fullmatch=True),
    st.integers(0, 2**63 - 1).map(lambda number: f"github_pull_requests__{number}"),
)
plain_parts = st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters="/"), min_size=1, max_size=20)
KEYS: st.SearchStrategy[ObjectKey] = st.one_of(
    st.builds(RawPart, tables, st.dates(), run_ids, task_ids, st.integers(0, 99_999)),
    st.builds(PlanKey, run_ids),
    st.builds(TaskKey, run_ids, task_ids),
    st.builds(FinalKey, run_ids),
    st.builds(CursorKey, endpoints, accounts),
    st.builds(RateKey, accounts),
    st.builds(ArtifactKey, st.integers(1), st.integers(1), st.sampled_from(names.ARTIFACTS)),
    st.builds(
        lambda table, parts, kind: DroppedFile(table, f"{'/'.join(parts)}.{kind}", kind),
        tables,
        st.lists(plain_parts.filter(lambda part: part not in (".", "..")), min_size=1, max_size=4),
        st.sampled_from(["parquet", "ndjson", "csv"]),
    ),
)
RUN = "run=20260131T060000Z"
OF_ACME = "20260131T060000Z-acme"


@given(KEYS)
def test_parse_is_the_inverse_of_str(key: ObjectKey) -> None:
    assert names.parse(str(key)) == key


@given(st.one_of(st.text(), st.from_regex(r"(raw|runs|drop|state)/[^/]*/.*")))
def test_any_text_round_trips_as_key_or_is_a_bad_object(name: str) -> None:
    try:
        said = str(names.parse(name))
    except BadObject as error:
        said = name if str(error).isprintable() else ""
    assert said == name


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("", id="nothing"),
        pytest.param("raw/_SUCCESS", id="no table"),
        pytest.param(f"raw/commits/dt=2026-01-31/{RUN}/commits-1.parquet", id="part number of one digit"),
        pytest.param(f"raw/commits/dt=2026-01-31/{RUN}/commits-00001.parquet/", id="trailing slash"),
        pytest.param(f"raw/commits/dt=2026-01-31/{RUN}/commits-00001.parquet\n", id="trailing newline"),
        pytest.param(f"raw/commits/dt=2026-02-30/{RUN}/commits-00001.parquet", id="30 February"),
        pytest.param(f"raw/commits/dt=0000-01-01/{RUN}/commits-00001.parquet", id="year 0"),
        pytest.param(f"raw/commits/dt=२०२६-01-31/{RUN}/commits-00001.parquet", id="digits of another script"),
        pytest.param("raw/commits/dt=2026-01-31/run=7/commits-00001.parquet", id="run id of another form"),
        pytest.param(f"raw/commits/dt=2026-01-31/{RUN}/Commits-00001.parquet", id="upper case task"),
        pytest.param(f"raw/commits/dt=2026-01-31/{RUN}//commits-00001.parquet", id="empty part"),
        pytest.param(f"raw/../raw/commits/dt=2026-01-31/{RUN}/commits-00001.parquet", id="parent folder"),
        pytest.param(f"raw/COMMITS/dt=2026-01-31/{RUN}/commits-00001.parquet", id="upper case table"),
        pytest.param(f"raw/\u0441\u043emmits/dt=2026-01-31/{RUN}/commits-00001.parquet", id="Cyrillic letters"),
        pytest.param("/raw/commits", id="leading slash"),
        pytest.param("runs/latest/plan.json", id="run that is no run id"),
        pytest.param("runs/20260131T060000Z-/plan.json", id="account without a name"),
        pytest.param("runs/20260131T060000Z--acme/plan.json", id="account that begins with a hyphen"),
        pytest.param("runs/20260131T060000Z-Acme/plan.json", id="account in upper case"),
        pytest.param("runs/20260131T060000Z-a.b/plan.json", id="account with a dot"),
        pytest.param(f"runs/20260131T060000Z-{'a' * 40}/plan.json", id="account of forty letters"),
        pytest.param("runs/20260131T060000Z-२/plan.json", id="account of another script's digits"),
        pytest.param("state/../repos.json", id="state in the parent folder"),
        pytest.param("state/Acme/repos.json", id="state of an account in upper case"),
        pytest.param("state/acme/other/repos.json", id="state below an account's folder"),
        pytest.param("runs/20260131T060000Z/tasks/../final.json", id="parent folder in a run"),
        pytest.param("runs/20260131T060000Z/final.json\0", id="NUL"),
        pytest.param("drop/commits/", id="dropped file without a name"),
        pytest.param("drop/commits", id="dropped file without a table"),
        pytest.param("drop/commits/../x.csv", id="dropped into the parent folder"),
        pytest.param("drop/commits/a//x.csv", id="dropped with an empty part"),
        pytest.param("drop/commits/a\nb.csv", id="dropped with a newline"),
        pytest.param("drop/commits/\ud800.csv", id="dropped with a lone surrogate"),
        pytest.param("drop/commits/\u202evsc.csv", id="dropped with reversed writing"),
        pytest.param("drop/commits/x.xlsx", id="dropped in another format"),
        pytest.param("drop/commits/csv", id="dropped without a suffix"),
    ],
)
def test_a_name_of_another_form_is_refused(name: str) -> None:
    with pytest.raises(BadObject) as caught:
        names.parse(name)
    assert caught.value.reason == "object_name"
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(f"raw/secrets/dt=2026-01-31/{RUN}/secrets-00001.parquet", id="raw"),
        pytest.param("state/secrets.json", id="cursor"),
        pytest.param("state/acme/compared.json", id="comparison of one account"),
        pytest.param("state/github_reviews.json", id="cursor of a table without an endpoint"),
        pytest.param("drop/secrets/x.csv", id="dropped"),
        pytest.param("drop/Commits/x.csv", id="upper case"),
        pytest.param("drop/\u0441\u043emmits/x.csv", id="Cyrillic letters"),
        pytest.param("drop/comm\nits/x.csv", id="newline"),
        pytest.param("drop/'; drop table x --/x.csv", id="SQL"),
        pytest.param("drop/\ud800/x.csv", id="lone surrogate"),
    ],
)
def test_unknown_table_is_refused_and_known_tables_listed(name: str) -> None:
    with pytest.raises(BadObject, match="there are repos, commits, pull_requests, reviews") as caught:
        names.parse(name)
    assert caught.value.reason == "unknown_table"
    assert str(caught.value).isprintable()


def test_a_name_may_have_1024_bytes_and_no_more() -> None:
    name = "drop/commits/é" + "x" * 1005 + ".csv"
    assert len(name.encode()) == 1024
    assert names.parse(name) == DroppedFile("commits", name.removeprefix("drop/commits/"), "csv")
    with pytest.raises(BadObject, match="1024 bytes"):
        names.parse(name.replace(".csv", "x.csv"))


def test_a_dropped_file_may_have_quotes_spaces_and_an_upper_case_suffix() -> None:
    key = names.parse('drop/commits/it\'s "May"/a b.CSV')
    assert key == DroppedFile("commits", 'it\'s "May"/a b.CSV', "csv")


def test_part_name_contains_date() -> None:
    key = names.parse(f"raw/commits/dt=2026-01-31/{RUN}/commits-00007.parquet")
    assert key == RawPart("commits", date(2026, 1, 31), "20260131T060000Z", "commits", 7)


@pytest.mark.parametrize(
    ("name", "key"),
    [
        (f"runs/{OF_ACME}/tasks/github_commits__7.json", TaskKey(OF_ACME, "github_commits__7")),
        (
            f"raw/identities/dt=2026-01-31/run={OF_ACME}/github_commits__7-00002.parquet",
            RawPart("identities", date(2026, 1, 31), OF_ACME, "github_commits__7", 2),
        ),
        ("state/acme/github_commits.json", CursorKey("github_commits", "acme")),
        ("state/repos.json", CursorKey("repos")),
        ("state/acme/rate.json", RateKey("acme")),
        ("state/rate.json", RateKey()),
    ],
)
def test_the_names_of_an_account_have_a_folder_or_an_end_of_their_own(name: str, key: ObjectKey) -> None:
    assert (names.parse(name), str(key)) == (key, name)


@given(moments, accounts, moments, accounts)
def test_run_ids_are_in_the_order_of_their_times(one: datetime, mine: str, other: datetime, its: str) -> None:
    first, second = (
        f"{moment:%Y%m%dT%H%M%SZ}" + (f"-{account}" if account else "")
        for moment, account in ((one, mine), (other, its))
    )
    assert (names.account_of(first), names.account_of(second)) == (mine, its)
    assert names.started_at(first) == one.replace(microsecond=0, tzinfo=UTC)
    if names.started_at(first) != names.started_at(second):
        assert (first < second) == (names.started_at(first) < names.started_at(second))
