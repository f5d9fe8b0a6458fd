"""Links within a home are followed, each file once; a link out of the home is named, and nothing there is opened."""

import os
import random
from pathlib import Path

import pytest
from tests.collect.machine import Machine, outputs, response
from tests.collect.test_homes import found, make

from millrace.collect.discovery import Root, UnreadStore, discover, unread
from millrace.collect.opening import open_plain
from millrace.collect.parsers.agents import AGENTS


def link(path: Path, target: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)
    return path


def told(home: Path) -> list[tuple[str, str]]:
    """Return what the roots report as not read, below the home."""
    errors: list[OSError] = []
    for root in discover(home, {}, "linux", AGENTS):
        list(root.logs(errors.append))
    return [(str(Path(error.filename).relative_to(home.resolve())), str(error.strerror)) for error in errors]


def test_project_folder_that_is_a_link_is_read(tmp_path: Path) -> None:
    make(tmp_path, "elsewhere/-shop/a.jsonl", ".claude/projects/-w/b.jsonl")
    link(tmp_path / ".claude/projects/-shop", tmp_path / "elsewhere/-shop")
    assert found(tmp_path) == {".claude/projects/-w/b.jsonl": "b", "elsewhere/-shop/a.jsonl": "a"}


def test_log_that_is_a_link_is_read_by_the_name_of_the_link(tmp_path: Path) -> None:
    make(tmp_path, "archive/17.txt")
    link(tmp_path / ".claude/projects/-w/S1.jsonl", tmp_path / "archive/17.txt")
    link(tmp_path / ".claude/projects/-w/notes.md", tmp_path / "archive")
    assert found(tmp_path) == {"archive/17.txt": "S1"}


@pytest.mark.parametrize(
    ("name", "store"),
    [
        (".codex/sessions", "sessions"),
        (".config/Code/User/globalStorage/saoudrizwan.claude-dev/tasks", "tasks"),
        (".cline/data/sessions", "cline"),
        (".local/share/kilo", "kilo"),
    ],
)
def test_whole_store_that_is_a_link_is_read(tmp_path: Path, name: str, store: str) -> None:
    files = {
        "sessions": "2026/a.jsonl",
        "tasks": "T1/ui_messages.json",
        "cline": "S/S.messages.json",
        "kilo": "kilo.db",
    }
    make(tmp_path, f"dotfiles/{store}/{files[store]}")
    link(tmp_path / name, tmp_path / "dotfiles" / store)
    assert list(found(tmp_path)) == [f"dotfiles/{store}/{files[store]}"]


def test_links_within_linked_folders_are_followed_and_circles_end(tmp_path: Path) -> None:
    make(tmp_path, "one/a.jsonl", "two/b.jsonl")
    link(tmp_path / ".claude/projects/one", tmp_path / "one")
    link(tmp_path / "one/two", tmp_path / "two")
    link(tmp_path / "two/one", tmp_path / "one")
    link(tmp_path / "two/up", tmp_path / ".claude")
    link(tmp_path / "two/home", tmp_path)
    link(tmp_path / "two/self", tmp_path / "two/self")
    link(tmp_path / "two/gone", tmp_path / "nowhere")
    make(tmp_path, ".claude/history.jsonl", "letter.jsonl")
    assert sorted(found(tmp_path)) == ["one/a.jsonl", "two/b.jsonl"]


def test_file_that_several_links_lead_to_is_read_once(machine: Machine) -> None:
    log = machine.log("claude")
    log.write_bytes(response("m1"))
    for name in ("b", "c"):
        link(machine.home / f".claude/projects/{name}", log.parent)
        link(machine.home / f".claude/projects/-w-app/{name}.jsonl", log)
    result = machine.collect()
    assert (result.looked_at, result.new, result.unchanged) == (1, 1, 0)


@pytest.mark.parametrize("chain", [False, True])
def test_link_out_of_the_home_is_named_and_not_read(tmp_path: Path, chain: bool) -> None:
    home = tmp_path / "home"
    make(home, ".claude/projects/-w/a.jsonl")
    make(tmp_path, "secret/b.jsonl", "secret/c.jsonl")
    first = link(home / "hop", tmp_path / "secret") if chain else tmp_path / "secret"
    link(home / ".claude/projects/out", first)
    link(home / ".claude/projects/-w/c.jsonl", first / "c.jsonl")
    link(home / ".claude/projects/-w/c.txt", first / "c.jsonl")  # by its name no log
    assert list(found_in(home)) == [".claude/projects/-w/a.jsonl"]
    why = "a link that leads out of the home is not followed"
    assert sorted(told(home)) == [(".claude/projects/-w/c.jsonl", why), (".claude/projects/out", why)]
    assert UnreadStore("claude", home.resolve() / ".claude/projects/out", why) in unread(home, {}, "linux")
    assert unread(home, {}, "linux", {"codex"}) == []


def found_in(home: Path) -> list[str]:
    roots = discover(home, {}, "linux", AGENTS)
    return [str(path.relative_to(home)) for root in roots for path in root.logs(lambda error: None)]


def test_store_behind_a_link_out_of_the_home_is_named(tmp_path: Path) -> None:
    home = tmp_path / "home"
    make(tmp_path, "disk/projects/-w/a.jsonl")
    link(home / ".claude", tmp_path / "disk")
    assert found_in(home) == []
    assert [name for name, _ in told(home)] == [".claude/projects"]


def test_configured_folder_outside_the_home_is_read_but_no_link_out_of_it(tmp_path: Path) -> None:
    home = tmp_path / "home"
    make(tmp_path, "disk/projects/-w/a.jsonl", "secret/b.jsonl", "disk/more/c.jsonl")
    link(tmp_path / "disk/projects/out", tmp_path / "secret")
    link(tmp_path / "disk/projects/more", tmp_path / "disk/more")
    roots = discover(home, {"CLAUDE_CONFIG_DIR": str(tmp_path / "disk")}, "linux", {"claude"})
    logs = [path for root in roots for path in root.logs(lambda error: None)]
    assert sorted(logs) == [(tmp_path / "disk" / name).resolve() for name in ("more/c.jsonl", "projects/-w/a.jsonl")]


def test_named_link_is_a_bad_file_of_the_result(machine: Machine, tmp_path: Path) -> None:
    make(tmp_path, "secret/b.jsonl")
    machine.log("claude").write_bytes(response("m1"))
    out = link(machine.home / ".claude/projects/out", tmp_path / "secret")
    assert machine.collect().bad_files == {out: "a link that leads out of the home is not followed"}


def test_growing_log_behind_a_link_is_followed_and_its_rename_too(machine: Machine) -> None:
    folder = machine.home / "elsewhere"
    folder.mkdir(parents=True)
    link(machine.home / ".claude/projects/-shop", folder)
    log = folder / "S1.jsonl"
    log.write_bytes(response("m1"))
    machine.run()
    log.write_bytes(response("m1") + response("m2"))
    log.rename(folder / "S1.jsonl.1")
    result = machine.collect(only={log})
    assert (result.gone, result.new) == ({}, 1)
    machine.ship()
    assert set(outputs(machine.merged())) == {"m1", "m2"}


def test_log_reported_by_its_real_path_is_read(machine: Machine) -> None:
    folder = machine.home / "elsewhere"
    folder.mkdir(parents=True)
    link(machine.home / ".claude/projects/-shop", folder)
    log = folder / "S1.jsonl"
    log.write_bytes(response("m1"))
    machine.log("claude", "S2").write_bytes(response("m2"))
    assert machine.collect(only={log}).new == 1


def test_opening_refuses_links_anywhere_in_the_path(tmp_path: Path) -> None:
    make(tmp_path, "real/a.jsonl")
    link(tmp_path / "linked", tmp_path / "real")
    link(tmp_path / "real/b.jsonl", tmp_path / "real/a.jsonl")
    with open_plain(tmp_path.resolve() / "real/a.jsonl") as file:
        assert file.read() == b"{}\n"
    for name in ("linked/a.jsonl", "real/b.jsonl", "real"):
        with pytest.raises(OSError, match=r".+"):
            open_plain(tmp_path.resolve() / name)


def test_opening_refuses_a_pipe_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.jsonl")
    with pytest.raises(OSError, match="expected a regular file"):
        open_plain(tmp_path.resolve() / "a.jsonl")


def test_folder_exchanged_for_a_link_after_the_check_is_not_read(machine: Machine, tmp_path: Path) -> None:
    make(tmp_path, "secret/S1.jsonl")
    (tmp_path / "secret/S1.jsonl").write_bytes(response("private"))
    log = machine.log("claude")
    log.write_bytes(response("m1"))
    exchanged = False

    def roots() -> list[Root]:
        return discover(machine.home, {}, "linux", AGENTS)

    def is_exchanged() -> None:
        nonlocal exchanged
        if not exchanged:
            exchanged = True
            log.parent.rename(machine.home / "away")
            link(log.parent, tmp_path / "secret")

    found = [path for root in roots() for path in root.logs(lambda error: None)]
    is_exchanged()
    for path in found:
        with pytest.raises(OSError, match=r".+"):
            open_plain(path)
    assert machine.run() == []


@pytest.mark.parametrize("seed", range(40))
def test_random_links_lead_to_each_file_within_at_most_once(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 test data
    home, outside = tmp_path / "home", tmp_path / "outside"
    folders = [home / ".claude/projects", *(home / f"f{number}" for number in range(4)), outside]
    for number, folder in enumerate(folders):
        folder.mkdir(parents=True)
        (folder / f"{number}.jsonl").write_bytes(b"{}\n")
    for number in range(10):
        target = chance.choice([*folders, home, tmp_path, chance.choice(folders) / f"l{chance.randrange(10)}"])
        (chance.choice(folders[:-1]) / f"l{number}").symlink_to(target)
    logs: dict[Path, int] = {}
    for root in discover(home, {}, "linux", {"claude"}):
        for path in root.logs(lambda error: None):
            logs[path] = logs.get(path, 0) + 1
    assert all(path == path.resolve() and path.is_relative_to(home.resolve()) for path in logs)
    assert set(logs.values()) == {1}
    assert folders[0].resolve() / "0.jsonl" in logs


def test_link_made_after_a_search_is_found_by_the_next_one(tmp_path: Path) -> None:
    make(tmp_path, "elsewhere/a.jsonl", ".claude/projects/-w/b.jsonl")
    projects = tmp_path / ".claude/projects"
    os.utime(projects, (1_700_000_000, 1_700_000_000))
    assert len(found(tmp_path)) == 1
    link(projects / "-shop", tmp_path / "elsewhere")
    assert len(found(tmp_path)) == 2
    os.utime(projects, (1_700_000_000, 1_700_000_000))  # as before the link
    (projects / "-shop").unlink()
    assert len(found(tmp_path)) == 1
