"""Every store that an agent has is found, on each platform and wherever it was moved; others that exist are named."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.collect.test_homes import CONFIGS, found, make

from millrace.collect.discovery import Place, Root, UnreadStore, discover, places, unread
from millrace.collect.parsers.agents import AGENTS
from millrace.collect.stores import STORES, Platform

COWORK = "Claude/local-agent-mode-sessions/0001/0002/local_0003"
TASK = "tasks/1767/ui_messages.json"
ROO, ZOO = "rooveterinaryinc.roo-cline", "zoocodeorganization.zoo-code"


@pytest.mark.parametrize("platform", CONFIGS)
def test_transcripts_of_claude_desktop_are_found_without_its_audit(tmp_path: Path, platform: Platform) -> None:
    box = f"{CONFIGS[platform]}/{COWORK}"
    name = f"{box}/.claude/projects/-sessions-shop/S1.jsonl"
    make(tmp_path, name, f"{box}/audit.jsonl", f"{box}/.claude/history.jsonl", f"{box}/uploads/x.jsonl")
    make(tmp_path, f"{CONFIGS[platform]}/Claude/local-agent-mode-sessions/skills-plugin/0001/data.jsonl")
    assert found(tmp_path, platform=platform) == {name: "S1"}


@pytest.mark.parametrize("above", ["", "0001/", "0001/0002/agent/"])
def test_sandboxes_are_found_at_any_usual_depth(tmp_path: Path, above: str) -> None:
    name = f".config/Claude/local-agent-mode-sessions/{above}local_ditto_1/.claude/projects/-w/S1/subagents/a.jsonl"
    make(tmp_path, name)
    assert list(found(tmp_path)) == [name]


def test_claude_desktop_of_windows_store_is_found(tmp_path: Path) -> None:
    name = f"AppData/Local/Packages/Claude_pzs8sxrjxfjjc/LocalCache/Roaming/{COWORK}/.claude/projects/-w/S1.jsonl"
    make(tmp_path, name)
    assert list(found(tmp_path, platform="win32")) == [name]


@pytest.mark.parametrize("platform", CONFIGS)
def test_kilos_database_is_at_one_place_on_each_platform(tmp_path: Path, platform: Platform) -> None:
    make(tmp_path, ".local/share/kilo/kilo.db", ".local/share/kilo/kilo.db-wal", ".local/share/kilo/other.db")
    make(tmp_path, ".local/share/kilo/log/kilo.db", ".local/share/kilo/kilo-nightly.db")
    assert list(found(tmp_path, platform=platform)) == [
        ".local/share/kilo/kilo-nightly.db",
        ".local/share/kilo/kilo.db",
    ]


@pytest.mark.parametrize(
    ("environ", "name"),
    [
        pytest.param({"XDG_DATA_HOME": "{home}/d"}, "d/kilo/kilo.db", id="data home"),
        pytest.param({"KILO_DB": "{home}/x/mine.db"}, "x/mine.db", id="absolute"),
        pytest.param({"KILO_DB": "~/x/mine.db"}, "x/mine.db", id="below the home"),
        pytest.param({"KILO_DB": "mine.sqlite"}, ".local/share/kilo/mine.sqlite", id="relative"),
        pytest.param({"KILO_DB": ":memory:"}, ".local/share/kilo/kilo.db", id="none"),
    ],
)
def test_kilos_configured_database_is_found(tmp_path: Path, environ: Mapping[str, str], name: str) -> None:
    make(tmp_path, name)
    assert list(found(tmp_path, {key: value.format(home=tmp_path) for key, value in environ.items()})) == [name]


@pytest.mark.parametrize(
    ("environ", "data"),
    [
        pytest.param({}, ".cline/data", id="default"),
        pytest.param({"CLINE_DIR": "{home}/c"}, "c/data", id="CLINE_DIR"),
        pytest.param({"CLINE_DATA_DIR": "{home}/c", "CLINE_DIR": "/none"}, "c", id="CLINE_DATA_DIR"),
    ],
)
def test_sessions_and_tasks_of_clines_cli_are_found(tmp_path: Path, environ: Mapping[str, str], data: str) -> None:
    make(tmp_path, f"{data}/sessions/S1/S1.messages.json", f"{data}/sessions/S1/S1.json", f"{data}/{TASK}")
    make(tmp_path, f"{data}/sessions/S1/agent_7.messages.json", f"{data}/sessions/S1/deeper/S1.messages.json")
    told = {key: value.format(home=tmp_path) for key, value in environ.items()}
    assert set(found(tmp_path, told)) == {
        f"{data}/sessions/S1/S1.messages.json",
        f"{data}/sessions/S1/agent_7.messages.json",
        f"{data}/{TASK}",
    }


def test_configured_sessions_of_cline_are_found(tmp_path: Path) -> None:
    make(tmp_path, "s/S1/S1.messages.json", ".cline/data/sessions/S2/S2.messages.json")
    assert found(tmp_path, {"CLINE_SESSION_DATA_DIR": f"{tmp_path}/s"}) == {"s/S1/S1.messages.json": "S1"}


@pytest.mark.parametrize(
    "user",
    [
        *(".config/Code - OSS", ".config/Antigravity", ".config/Trae", ".config/Positron", ".config/Kiro"),
        *(".vscode-server-insiders/data", ".vscode-server-oss/data", ".vscodium-server/data", ".vscode-remote/data"),
        *(".var/app/com.visualstudio.code/config/Code", ".var/app/com.vscodium.codium/config/VSCodium"),
        *(".local/share/code-server", ".antigravity-server/data", ".trae-server/data"),
    ],
)
def test_tasks_of_every_host_are_found(tmp_path: Path, user: str) -> None:
    names = [f"{user}/User/globalStorage/{folder}/{TASK}" for folder in ("kilocode.kilo-code", ROO)]
    make(tmp_path, *names)
    assert sorted(found(tmp_path)) == sorted(names)


@pytest.mark.parametrize(
    ("platform", "name"),
    [("win32", "AppData/Local/code-server/Data"), ("darwin", "Library/Application Support/code-server")],
)
def test_code_server_is_found_on_each_platform(tmp_path: Path, platform: Platform, name: str) -> None:
    make(tmp_path, f"{name}/User/globalStorage/{ROO}/{TASK}")
    assert len(found(tmp_path, platform=platform)) == 1


@pytest.mark.parametrize("name", [ZOO, "ZooCodeOrganization.zoo-code", "rooveterinaryinc.roo-code-nightly"])
def test_tasks_of_roos_successors_belong_to_roo(tmp_path: Path, name: str) -> None:
    make(tmp_path, f".config/Code/User/globalStorage/{name}/{TASK}", f".vscode-mock/global-storage/{TASK}")
    assert len(found(tmp_path, agents={"roocode"})) == 2


def test_extension_in_capitals_has_no_second_place(tmp_path: Path) -> None:
    make(tmp_path, f".config/Code/User/globalStorage/ZooCodeOrganization.zoo-code/{TASK}")
    names = [root.path.parent.name.lower() for root in discover(tmp_path, {}, "linux", {"roocode"})]
    assert names.count(ZOO) == 1


@pytest.mark.parametrize("name", [".kilocode/cli/global", ".kilocode/globalStorage/kilocode.kilo-code"])
def test_tasks_of_kilos_old_cli_and_plugin_are_found(tmp_path: Path, name: str) -> None:
    make(tmp_path, f"{name}/{TASK}")
    assert len(found(tmp_path, agents={"kilocode"})) == 1


@pytest.mark.parametrize("host", [".config/Cursor Nightly", ".cursor-server/data"])
def test_databases_of_other_cursors_are_found(tmp_path: Path, host: str) -> None:
    make(tmp_path, f"{host}/User/globalStorage/state.vscdb", ".config/Code/User/globalStorage/state.vscdb")
    assert list(found(tmp_path)) == [f"{host}/User/globalStorage/state.vscdb"]


SETTINGS = """// of mine
{{
    "editor.fontSize": 14, /* "roo-cline.customStoragePath": "{home}/wrong", */
    "a": ["roo-cline.customStoragePath", "\\"{home}/wrong"],
    // "kilo-code.customStoragePath": "{home}/wrong",
    "{key}" : {value},
}}
"""


@pytest.mark.parametrize("key", ["roo-cline", "kilo-code", "zoo-code", "cline"])
@pytest.mark.parametrize("file", [".config/Code/User/settings.json", ".vscode-server/data/Machine/settings.json"])
def test_storage_that_settings_with_comments_move_is_found(tmp_path: Path, key: str, file: str) -> None:
    make(tmp_path, file, f"my tasks/{TASK}", f"wrong/{TASK}")
    value = json.dumps(f"{tmp_path}/my tasks")
    text = SETTINGS.format(home=tmp_path, key=f"{key}.customStoragePath", value=value)
    (tmp_path / file).write_text(text)
    assert list(found(tmp_path)) == [f"my tasks/{TASK}"]


def test_storage_outside_the_home_is_read_when_settings_say_so(tmp_path: Path) -> None:
    home, outside = tmp_path / "home", tmp_path / "disk"
    make(home, ".config/Code/User/settings.json")
    make(outside, TASK)
    setting = {"roo-cline.customStoragePath": str(outside)}
    (home / ".config/Code/User/settings.json").write_text(json.dumps(setting))
    roots = discover(home, {}, "linux", {"roocode"})
    assert [path for root in roots for path in root.logs(lambda error: None)] == [(outside / TASK).resolve()]


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[1, 2", '"roo-cline.customStoragePath"', '{"roo-cline.customStoragePath": 7}'),
        *('{"roo-cline.customStoragePath": "relative"}', '{"roo-cline.customStoragePath": "\\u0000/x"}'),
        *('{"roo-cline.customStoragePath": "\\ud800"', '{"roo-cline.customStoragePath": "/' + "x" * 5000 + '"}'),
        *("/*" * 50_000, '"' * 100_001, "[" * 100_000, "\ufeff{}"),
    ],
)
def test_settings_of_any_content_break_nothing(tmp_path: Path, text: str) -> None:
    make(tmp_path, ".config/Code/User/settings.json", ".claude/projects/-w/a.jsonl")
    (tmp_path / ".config/Code/User/settings.json").write_text(text, errors="surrogatepass")
    roots = discover(tmp_path, {}, "linux", AGENTS)
    logs = [path for root in roots for path in root.logs(lambda error: None)]
    assert logs == [tmp_path.resolve() / ".claude/projects/-w/a.jsonl"]


def test_known_stores_without_a_parser_are_named(tmp_path: Path) -> None:
    make(tmp_path, ".local/share/opencode/opencode.db", ".pi/agent/sessions/x/a.jsonl", ".claude/projects/-w/a.jsonl")
    make(tmp_path, "q/projects/w/chats/a.jsonl")
    named = unread(tmp_path, {"QWEN_DATA_DIR": f"{tmp_path}/q"}, "linux")
    home = tmp_path.resolve()
    assert [(store.agent, store.path) for store in named] == [
        ("OpenCode", home / ".local/share/opencode/opencode.db"),
        ("pi", home / ".pi/agent/sessions"),
        ("Qwen Code", tmp_path / "q/projects"),
    ]
    assert {store.why for store in named} == {"no parser for its logs yet"}


@pytest.mark.parametrize(
    ("platform", "name", "agent"),
    [
        ("darwin", ".gemini/tmp", "Gemini CLI"),
        ("win32", "AppData/Roaming/Block/goose/data/sessions", "Goose"),
        ("darwin", "Library/Application Support/Zed/threads", "Zed"),
        ("linux", ".copilot/session-state", "Copilot CLI"),
        ("linux", ".factory/sessions", "Droid"),
        ("linux", ".local/share/amp/threads", "Amp"),
        ("linux", ".kimi/sessions", "Kimi CLI"),
        ("linux", ".local/share/crush/projects.json", "Crush"),
    ],
)
def test_known_stores_are_named_on_each_platform(tmp_path: Path, platform: Platform, name: str, agent: str) -> None:
    make(tmp_path, f"{name}/x")
    path = tmp_path.resolve() / name
    assert unread(tmp_path, {}, platform) == [UnreadStore(agent, path, "no parser for its logs yet")]


def test_stores_of_read_agents_are_not_unread(tmp_path: Path) -> None:
    make(tmp_path, ".claude/projects/-w/a.jsonl", ".codex/sessions/b.jsonl", ".local/share/kilo/kilo.db")
    assert unread(tmp_path, {}, "linux") == []


def test_places_list_what_was_looked_at_with_its_logs(tmp_path: Path) -> None:
    make(tmp_path, ".claude/projects/-w/a.jsonl", ".claude/projects/-w/b.jsonl")
    home = tmp_path.resolve()
    looked = places(discover(tmp_path, {}, "linux", AGENTS))
    assert Place("claude", home / ".claude/projects", True, 2) in looked
    assert Place("codex", home / ".codex/sessions", False, 0) in looked
    assert {place.agent for place in looked} == set(AGENTS)
    assert len(looked) < 40


def test_registry_describes_every_store_and_agent() -> None:
    assert {agent for agent, _ in STORES} == set(AGENTS)
    assert all((agent, "") in STORES for agent in AGENTS)
    for (agent, name), store in STORES.items():
        assert Root(agent, Path("/x"), name).reader.name == agent
        assert store.versions
        assert store.form
        assert (store.since or "0") < (store.until or "9")
