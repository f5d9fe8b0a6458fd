"""The homes of a company's developers, whose folders are git repositories with remotes, as the collector reads them."""

from collections import Counter
from datetime import timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from tests.simulator.conftest import END
from tests.simulator.test_agent_logs import contents

import simulator
from millrace.collect.machine import Machine
from millrace.collect.parsers.agents import AGENTS
from millrace.collect.repositories import ANY, Owners, Repositories
from millrace.config import CollectConfig
from simulator.agent_logs import Home, write_homes

ACME = Owners(frozenset({"acme-corp"}))
SETTINGS = CollectConfig(is_off=False, lake=None, user=None, hash_key=None, state=None, environment={})
Seen = Counter[tuple[str | None, str | None]]


@pytest.fixture(scope="module")
def homes(world: simulator.World, tmp_path_factory: pytest.TempPathFactory) -> list[Home]:
    """The homes of the world's developers, with git."""
    return write_homes(world, tmp_path_factory.mktemp("git-homes"), has_git=True)


def seen(home: Home, state: Path) -> Seen:
    """Return the numbers of events by project and repository, as a collector of a home notes them."""
    found = Seen()
    with Machine(home.folder, SETTINGS, frozenset(AGENTS), state, owners=ACME).collector() as collector:
        assert collector.collect().rows
        spool = state / "spool"
        for file in spool.rglob("*.parquet"):
            rows = pq.read_table(file, columns=["project", "repository"]).to_pylist()
            found.update((row["project"], row["repository"]) for row in rows)
    return found


def test_sessions_have_the_repository_of_their_folder(
    world: simulator.World, homes: list[Home], tmp_path: Path
) -> None:
    found = sum((seen(home, tmp_path / home.developer_id) for home in homes), Seen())
    own = {(f"src-{name.partition('/')[2]}", name) for name in world.repos}
    # No list names the owner of one folder, another has no git, and Cursor's sessions have no folder.
    assert found.keys() == {*own, ("src-dotfiles", None), ("src-notes", None), (None, None)}
    in_folders = {key: count for key, count in found.items() if key[0]}
    elsewhere = sum(count for (_, name), count in in_folders.items() if name is None)
    assert 0.02 < elsewhere / sum(in_folders.values()) < 0.15


def test_other_owner_has_a_remote_of_its_own(homes: list[Home]) -> None:
    of_any = Repositories.of_machine(ANY, homes[0].folder, {})
    assert {of_any(str(each / "src/dotfiles")) for each in (home.folder for home in homes)} <= {"dev/dotfiles", None}
    assert any(of_any(str(home.folder / "src/dotfiles")) for home in homes)


def of_git(home: Home) -> dict[str, bytes]:
    """Return what git has in a home."""
    return {name: content for name, content in contents(home.folder).items() if "/.git/" in name}


def test_user_of_each_home_has_the_email_of_its_commits(world: simulator.World, homes: list[Home]) -> None:
    emails = {row["userId"]: row["userEmail"] for row in world.commits.rows}
    machines = [Machine(home.folder, SETTINGS, frozenset(AGENTS), home.folder / "state") for home in homes]
    assert [machine.user_id for machine in machines] == [emails[home.developer_id] for home in homes]


def test_same_seed_writes_same_bytes_below_the_home(world: simulator.World, homes: list[Home], tmp_path: Path) -> None:
    again = write_homes(world, tmp_path, has_git=True)
    for one, other in zip(homes, again, strict=True):
        assert of_git(one) == of_git(other)
        assert one.sittings == other.sittings


def test_later_end_leaves_the_folders_of_earlier_sessions(homes: list[Home], tmp_path: Path) -> None:
    later = simulator.generate(developers=5, days=33, seed=7, end=END + timedelta(days=3))
    after = write_homes(later, tmp_path, has_git=True)
    for one, other in zip(homes, after, strict=True):
        assert of_git(one).items() <= of_git(other).items()
