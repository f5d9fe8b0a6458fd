"""An account of GitHub on a laptop: `millrace run` and others as processes, over a simulated GitHub."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest
from tests import warm
from tests.laptop.conftest import PROJECT, Outcome

from millrace.laptop.source import simulator
from simulator.github import DEFAULT_TOKEN, Knobs, Served, generate, served

ODD = Knobs(ghost_author=True, long_reviews=40, empty=("web",))


def millrace(*arguments: str, token: str = DEFAULT_TOKEN, **settings: str) -> Outcome:
    environment = {name: value for name, value in os.environ.items() if name not in ("GITHUB_TOKEN", "GH_TOKEN")}
    environment |= {"GITHUB_TOKEN": token} if token else {}
    done = warm.run("millrace", *arguments, environment=environment | settings)
    return Outcome(done.returncode, done.stdout, done.stderr)


def of(github: Served, account: str = "acme") -> list[str]:
    return ["--source", "github", "--account", account, "--source-url", github.url]


def count(place: Path, table: str, account: str = "acme") -> int:
    with duckdb.connect(str(place / "millrace.duckdb"), read_only=True) as connection:
        (rows,) = connection.table(f"raw.{table}").filter(f"account = '{account}'").count("*").fetchall()
    return int(rows[0])


def scopes(place: Path) -> list[str]:
    plans = sorted((place / "lake" / "runs").glob("*/plan.json"))
    return [json.loads(plan.read_text())["scope"] for plan in plans]


@pytest.fixture(scope="module")
def github() -> Iterator[Served]:
    with served(generate(3, 60), ODD) as running:
        yield running


@pytest.fixture(scope="module")
def read(github: Served, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Outcome]:
    """A data directory with all of the account, and how the run went that read it."""
    place = tmp_path_factory.mktemp("github") / "data"
    done = millrace("run", *of(github), "--data-dir", str(place), "--no-build", "--since", "30d", "--json")
    return place, done


@pytest.mark.slow
def test_first_run_reads_the_newest_days_and_then_everything(github: Served, read: tuple[Path, Outcome]) -> None:
    place, done = read
    assert done.code == 0, done.err
    assert scopes(place) == ["recent", "full"]
    assert len(list((place / "lake" / "runs").glob("*/final.json"))) == 2
    pulls = [pull for repository in github.company.repositories for pull in repository.pulls]
    assert count(place, "github_pull_requests") == len(pulls) == 120
    assert count(place, "github_reviews") == sum(len(pull.reviews) for pull in pulls)
    complete = done.report["completeness"]
    assert (complete["account"], complete["repositories"], complete["complete"]) == ("acme", 3, 3)
    assert done.report["run_id"].endswith("-acme")
    assert "graphql recent plan" in done.err.partition("graphql full plan")[0]
    assert DEFAULT_TOKEN not in done.out + done.err


@pytest.mark.slow
def test_later_run_reads_what_changed_and_full_refresh_reads_everything(
    github: Served, read: tuple[Path, Outcome], tmp_path: Path
) -> None:
    place = tmp_path / "data"
    shutil.copytree(read[0], place)
    told = millrace("run", *of(github), "--data-dir", str(place), "--dry-run").out
    assert f"would read of acme at GitHub at {github.url}: what changed since the last run" in told
    later = millrace("run", *of(github), "--data-dir", str(place), "--no-build")
    again = millrace("run", *of(github), "--data-dir", str(place), "--no-build", "--full-refresh")
    assert (later.code, again.code) == (0, 0), later.err + again.err
    assert scopes(place)[2:] == ["changes", "full"]
    assert "Complete github acme: 3 of 3 repositories complete" in later.out
    assert "✗" not in later.out + again.out


@pytest.mark.slow
def test_newest_days_are_built_before_the_rest_is_read(tmp_path: Path) -> None:
    place = tmp_path / "data"
    with served(generate(1, 30)) as github:
        done = millrace("run", *of(github), "--data-dir", str(place))
    assert done.code == 0, done.err
    recent, _, rest = done.err.partition("the newest days are here")
    assert ("graphql recent plan" in recent, "graphql full plan" in recent) == (True, False)
    assert ("built velocity" in recent, "graphql full plan" in rest, "built velocity" in rest) == (True, True, True)
    with duckdb.connect(str(place / "published.duckdb"), read_only=True) as published:
        states = published.execute("SELECT DISTINCT state FROM mart.source_completeness").fetchall()
    assert states == [("known",)]


@pytest.mark.slow
def test_what_is_refused_or_not_complete_is_named_and_exits_1(tmp_path: Path) -> None:
    asked = ["--data-dir", str(tmp_path / "data"), "--no-build"]
    with served(generate(3, 12), Knobs(has_graphql=False, forbidden=("shop",), sso_hidden=("api",))) as github:
        done = millrace("run", *of(github), *asked)
        told = json.loads(millrace("run", *of(github), *asked, "--json").out)
    assert done.code == 1, done.err
    (line,) = [line for line in done.out.splitlines() if line.startswith("Complete github acme: ")]
    assert line.endswith("1 of 2 repositories complete, 1 refused, the list of repositories is not complete")
    shop, repositories = sorted(told["completeness"]["incomplete"], key=lambda each: str(each["state"]))
    assert (shop["name"], shop["state"]) == ("acme/shop", "refused")
    assert "what the token may read" in shop["reason"]
    assert (repositories["object"], repositories["state"]) == ("repositories", "unknown")
    assert "single sign-on" in repositories["reason"]
    assert ("acme/shop" in done.out, told["ok"]) == (True, False)


@pytest.mark.slow
def test_several_accounts_and_sources_share_a_data_directory(tmp_path: Path) -> None:
    place, key = tmp_path / "data", "key-of-cursor-sim"
    asked = ["--data-dir", str(place), "--no-build"]
    with (
        served(generate(2, 12)) as acme,
        served(generate(1, 12, account="beta"), token="ghp_of_beta") as beta,
        simulator(["--developers=2", "--days=5", "--no-limiter"], key) as url,
    ):
        sim = ["--source-url", url]
        runs = [
            millrace("run", *of(acme), *asked),
            millrace("run", *of(beta, "beta"), *asked, token="ghp_of_beta"),
            millrace("run", *sim, "--account", "gamma", *asked, MILLRACE_SOURCE_KEY=key),
            millrace("run", *of(acme), *asked),
        ]
        assert [done.code for done in runs] == [0, 0, 0, 0], [done.err for done in runs]
        second = millrace("run", *sim, "--account", "acme", *asked, MILLRACE_SOURCE_KEY=key)
        other = millrace("run", *of(beta), *asked)
        compared = millrace("reconcile", *sim, "--data-dir", str(place), MILLRACE_SOURCE_KEY=key)
    assert (second.code, other.code) == (2, 2)
    assert "the pull requests of an account (acme) have one source" in second.err
    assert "the pull requests and commits of an account (acme) have one source" in other.err
    assert (compared.code, "✗" in compared.out) == (0, False), compared.out + compared.err
    assert "✓ repos          source " in compared.out
    alone = millrace("reconcile", "--data-dir", str(place))
    assert alone.code == 0, alone.out + alone.err
    assert "Complete github acme: 2 of 2" in alone.out
    assert "Complete github beta: 1 of 1" in alone.out
    assert (count(place, "github_pull_requests"), count(place, "github_pull_requests", "beta")) == (24, 12)
    status = millrace("status", "--data-dir", str(place)).out
    ended = [line.split()[1] for line in status.splitlines() if line.endswith(": complete")]
    assert {run_id.strip(":").partition("-")[2] for run_id in ended} == {"acme", "beta", "gamma"}


@pytest.mark.slow
def test_commits_of_cursor_go_beside_the_pull_requests_of_github(tmp_path: Path) -> None:
    place, key = tmp_path / "data", "key-of-cursor"
    asked = ["--data-dir", str(place), "--no-build"]
    with (
        served(generate(1, 12)) as acme,
        simulator(["--developers=2", "--days=5", "--no-limiter", "--full-hashes"], key) as url,
    ):
        cursor = ["--source-url", url, "--account", "acme"]
        runs = [
            millrace("run", *of(acme), *asked),
            millrace("run", *cursor, "--objects", "commits", *asked, MILLRACE_SOURCE_KEY=key),
        ]
        assert [done.code for done in runs] == [0, 0], [done.err for done in runs]
        whole = millrace("run", *cursor, *asked, MILLRACE_SOURCE_KEY=key)
        compared = millrace("reconcile", "--source-url", url, "--data-dir", str(place), MILLRACE_SOURCE_KEY=key)
    assert (whole.code, "the pull requests of an account (acme) have one source" in whole.err) == (2, True)
    assert (compared.code, "✗" in compared.out) == (0, False), compared.out + compared.err
    assert re.search(r"✓ commits +source [1-9]", compared.out)
    assert "✓ pull_requests  source ?, lake 0" in compared.out


@pytest.mark.parametrize(
    ("given", "said"),
    [
        pytest.param(["--objects", "reviews"], "--objects: expected commits or pull_requests", id="another object"),
        pytest.param(["--objects", ","], "--objects: expected commits or pull_requests, got none", id="none"),
        pytest.param(
            ["--objects", "commits", "--source", "github", "--account", "acme"],
            "GitHub is read as a whole",
            id="GitHub",
        ),
    ],
)
def test_objects_that_a_source_does_not_have_exit_2(tmp_path: Path, given: list[str], said: str) -> None:
    done = millrace("run", *given, "--data-dir", str(tmp_path))
    assert (done.code, said in done.err) == (2, True), done.err


@contextmanager
def started(*arguments: str) -> Iterator["subprocess.Popen[str]"]:
    environment = os.environ | {"GITHUB_TOKEN": DEFAULT_TOKEN, "PYTHONPATH": str(PROJECT / "src")}
    command = [sys.executable, "-m", "millrace", *arguments]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True) as child:
        yield child


@pytest.mark.slow
def test_ctrl_c_during_a_wait_ends_at_once_and_the_next_run_goes_on(tmp_path: Path) -> None:
    asked = ["--data-dir", str(tmp_path / "data"), "--no-build", "--since", "9000d"]
    with served(generate(2, 110), Knobs(secondary_at=(14,))) as github:
        with started("run", *of(github), *asked) as child:
            assert child.stderr is not None
            said = [next(line for line in child.stderr if "over its secondary rate limit" in line)]
            interrupted_at = time.monotonic()
            child.send_signal(signal.SIGINT)
            said += child.stderr
        took_s = time.monotonic() - interrupted_at
        assert (child.returncode, said[-1]) == (130, "error: interrupted; run it again to go on\n")
        assert "going on at " in said[0]
        assert took_s < 15
        begun = github.log.requests[:]
        github.clock.advance(3600)
        done = millrace("run", *of(github), *asked)
        later = github.log.requests[len(begun) :]
    lists = [place for place, each in enumerate(later) if each.operation == "Repositories"]
    resumed = later[: lists[1]]  # the first list is that of the look, the second one that of the run that follows
    pages = [
        {each.digest for each in some if each.operation == "PullRequests" and each.nodes > 300 and each.status == 200}
        for some in (begun, resumed)
    ]
    assert done.code == 0, done.err
    assert "that an earlier run left" in done.err
    assert count(tmp_path / "data", "github_pull_requests") == 220
    assert min(map(len, pages)) > 0
    assert pages[0] & pages[1] == set()  # no page is read twice


@pytest.mark.parametrize(
    ("arguments", "token", "said"),
    [
        pytest.param(["--account", "acme"], "ghp_wrong", "set GITHUB_TOKEN to one that may read", id="a wrong token"),
        pytest.param(["--account", "acme"], "", "GITHUB_TOKEN is not set, nor GH_TOKEN", id="no token"),
        pytest.param(["--account", "nobody"], DEFAULT_TOKEN, "got 'nobody'", id="an unknown owner"),
        pytest.param(
            ["--account", "acme", "--repository", "shop,nope"], DEFAULT_TOKEN, "no repository 'nope'", id="unknown name"
        ),
    ],
)
@pytest.mark.slow
def test_what_cannot_be_read_exits_2_with_one_line(
    github: Served, tmp_path: Path, arguments: list[str], token: str, said: str
) -> None:
    url = ["--source", "github", "--source-url", github.url]
    done = millrace("run", *url, *arguments, "--data-dir", str(tmp_path / "data"), token=token)
    assert (done.code, done.out) == (2, "")
    (line,) = done.err.splitlines()
    assert said in line
    assert not list((tmp_path / "data").rglob("plan.json"))


@pytest.mark.slow
def test_token_of_gh_is_used_where_the_other_is_not_set(github: Served) -> None:
    found = millrace("source", "test", *of(github), "--json", token="", GH_TOKEN=DEFAULT_TOKEN)
    assert found.code == 0, found.err
    assert found.report["repositories"] == {"acme/api": 60, "acme/shop": 60, "acme/web": 0}
    assert (found.report["login"], found.report["cost"]["requests"]) == ("reader", 6)
