"""Logs are found where each agent keeps them, and no other files are."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from millrace.collect.discovery import Platform, Root, default_state_folder, discover
from millrace.collect.parsers.agents import AGENTS
from millrace.collect.parsers.naming import hashed

UUID = "0199aaaa-bbbb-7ccc-8ddd-eeeeffff0000"
CONFIGS: dict[Platform, str] = {
    "linux": ".config",
    "darwin": "Library/Application Support",
    "win32": "AppData/Roaming",
}


def ignore_error(error: OSError) -> None:
    raise error


def found(
    home: Path, environ: Mapping[str, str] | None = None, platform: Platform = "linux", agents: set[str] | None = None
) -> dict[str, str | None]:
    """Return the logs below the home, each with its session."""
    roots = discover(home, environ or {}, platform, set(AGENTS) if agents is None else agents)
    logs = [(root, path) for root in roots for path in root.logs(ignore_error)]
    assert all(root.has(path) for root, path in logs)
    return {path.relative_to(home.resolve()).as_posix(): root.session_id(path) for root, path in logs}


def make(home: Path, *names: str) -> None:
    for name in names:
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"{}\n")


def test_transcripts_of_claude_and_of_its_sub_agents_are_found(tmp_path: Path) -> None:
    make(tmp_path, ".claude/projects/-w/s1.jsonl", ".claude/projects/-w/s1/subagents/agent-1.jsonl")
    make(tmp_path, ".claude/projects/-w/notes.md", ".claude/history.jsonl")
    assert found(tmp_path) == {
        ".claude/projects/-w/s1.jsonl": "s1",
        ".claude/projects/-w/s1/subagents/agent-1.jsonl": "agent-1",
    }


def test_several_homes_of_claude_are_found(tmp_path: Path) -> None:
    make(tmp_path, ".config/claude/projects/-w/a.jsonl", ".claude-opus/projects/-w/b.jsonl")
    assert list(found(tmp_path)) == [".config/claude/projects/-w/a.jsonl", ".claude-opus/projects/-w/b.jsonl"]


def test_a_configured_folder_of_claude_replaces_the_default_ones(tmp_path: Path) -> None:
    make(tmp_path, ".claude/projects/-w/a.jsonl", "one/projects/-w/b.jsonl", "two/projects/-w/c.jsonl")
    environ = {"CLAUDE_CONFIG_DIR": f"{tmp_path}/one, ~/two"}
    assert list(found(tmp_path, environ)) == ["one/projects/-w/b.jsonl", "two/projects/-w/c.jsonl"]


def test_configured_and_discovered_folder_is_one_root(tmp_path: Path) -> None:
    (tmp_path / ".claude-opus").mkdir()
    roots = discover(tmp_path, {"CLAUDE_CONFIG_DIR": f"{tmp_path}/.claude-opus"}, "linux", {"claude"})
    assert [root for root in roots if not root.store] == [Root("claude", tmp_path.resolve() / ".claude-opus/projects")]


def test_sessions_of_codex_are_found_by_the_id_in_their_names(tmp_path: Path) -> None:
    make(tmp_path, f".codex/sessions/2026/01/02/rollout-2026-01-02T03-04-05-{UUID}.jsonl")
    make(tmp_path, f".codex/archived_sessions/rollout-{UUID}.jsonl", ".codex/log/codex.jsonl")
    assert set(found(tmp_path).values()) == {UUID}
    assert len(found(tmp_path)) == 2


def test_several_homes_of_codex_are_configured_with_commas(tmp_path: Path) -> None:
    make(tmp_path, ".codex/sessions/a.jsonl", "c/sessions/b.jsonl", "d/archived_sessions/c.jsonl")
    environ = {"CODEX_HOME": f" {tmp_path}/c ,, ~/d"}
    assert list(found(tmp_path, environ)) == ["c/sessions/b.jsonl", "d/archived_sessions/c.jsonl"]


def test_a_configured_home_of_codex_replaces_the_default_one(tmp_path: Path) -> None:
    make(tmp_path, ".codex/sessions/a.jsonl", "c/sessions/b.jsonl")
    assert list(found(tmp_path, {"CODEX_HOME": f"{tmp_path}/c"})) == ["c/sessions/b.jsonl"]


@pytest.mark.parametrize("platform", CONFIGS)
def test_cursors_database_is_found_on_each_platform(tmp_path: Path, platform: Platform) -> None:
    name = f"{CONFIGS[platform]}/Cursor/User/globalStorage/state.vscdb"
    make(tmp_path, name, name + "-wal", f"{CONFIGS[platform]}/Cursor/User/globalStorage/other.vscdb")
    assert found(tmp_path, platform=platform) == {name: None}


@pytest.mark.parametrize("host", ["Code", "Code - Insiders", "VSCodium", "Cursor", "Windsurf"])
@pytest.mark.parametrize("platform", CONFIGS)
def test_tasks_are_found_on_each_platform_in_each_host(tmp_path: Path, platform: Platform, host: str) -> None:
    tasks = f"{CONFIGS[platform]}/{host}/User/globalStorage/saoudrizwan.claude-dev/tasks"
    make(tmp_path, f"{tasks}/1767/ui_messages.json", f"{tasks}/1767/api_conversation_history.json")
    make(tmp_path, f"{tasks}/1767/deeper/ui_messages.json", f"{tasks}/ui_messages.json")
    assert found(tmp_path, platform=platform) == {f"{tasks}/1767/ui_messages.json": "1767"}


@pytest.mark.parametrize("server", [".vscode-server", ".cursor-server", ".windsurf-server"])
def test_tasks_of_remote_hosts_are_found(tmp_path: Path, server: str) -> None:
    name = f"{server}/data/User/globalStorage/kilocode.kilo-code/tasks/T1/ui_messages.json"
    make(tmp_path, name)
    assert found(tmp_path) == {name: "T1"}


def test_configured_folders_are_followed_on_windows_and_linux(tmp_path: Path) -> None:
    make(tmp_path, "r/Cursor/User/globalStorage/state.vscdb")
    told = str(tmp_path / "r")
    assert len(found(tmp_path, {"APPDATA": told}, "win32")) == len(found(tmp_path, {"XDG_CONFIG_HOME": told})) == 1


def test_an_agent_that_is_not_enabled_has_no_root(tmp_path: Path) -> None:
    make(tmp_path, ".claude/projects/-w/a.jsonl", ".codex/sessions/b.jsonl")
    assert list(found(tmp_path, agents={"codex"})) == [".codex/sessions/b.jsonl"]


def test_a_root_may_be_a_link(tmp_path: Path) -> None:
    make(tmp_path, "dotfiles/projects/-w/a.jsonl")
    (tmp_path / ".claude").symlink_to(tmp_path / "dotfiles")
    assert list(found(tmp_path)) == ["dotfiles/projects/-w/a.jsonl"]


def test_a_name_that_could_be_a_sentence_is_a_hashed_session(tmp_path: Path) -> None:
    make(tmp_path, ".claude/projects/-w/please delete me.jsonl", ".claude/projects/-w/alex@example.com.jsonl")
    assert set(found(tmp_path).values()) == {hashed("please delete me"), hashed("alex@example.com")}


@pytest.mark.parametrize(
    ("platform", "environ", "folder"),
    [
        pytest.param("linux", {}, ".local/state/millrace", id="linux"),
        pytest.param("darwin", {}, "Library/Application Support/millrace", id="macos"),
        pytest.param("win32", {}, "AppData/Local/millrace", id="windows"),
    ],
)
def test_the_state_is_where_the_platform_has_such_things(
    tmp_path: Path, platform: Platform, environ: Mapping[str, str], folder: str
) -> None:
    assert default_state_folder(tmp_path, environ, platform) == tmp_path / folder


def test_state_folder_follows_environment(tmp_path: Path) -> None:
    assert default_state_folder(tmp_path, {"XDG_STATE_HOME": "/s"}, "linux") == Path("/s/millrace")
    assert default_state_folder(tmp_path, {"LOCALAPPDATA": "/l"}, "win32") == Path("/l/millrace")
