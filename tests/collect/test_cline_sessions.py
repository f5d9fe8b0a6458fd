"""Sessions of Cline's CLI have the folder of their manifest, and a fork or a copied task counts once."""

import json
from pathlib import Path

import pytest
from tests.collect.machine import Machine, request

START = 1_795_168_860_000


def message(number: int, role: str = "assistant", output: int = 5, **more: object) -> dict[str, object]:
    fields: dict[str, object] = {"id": f"m{number}", "role": role, "ts": START + number * 1000}
    if role == "assistant":
        fields["metrics"] = {"inputTokens": 10, "outputTokens": output, "cost": 0.01}
    return fields | {"content": [{"type": "text", "text": "x"}]} | more


def write(machine: Machine, session: str, *messages: object, name: str = "", **manifest: object) -> Path:
    folder = machine.home / ".cline/data/sessions" / session
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name or session}.messages.json"
    path.write_text(json.dumps({"version": 1, "messages": list(messages)}))
    write_manifest(path, manifest)
    return path


def write_manifest(path: Path, manifest: dict[str, object]) -> None:
    if manifest:
        path.with_name(path.name.replace(".messages", "")).write_text(json.dumps(manifest))


def test_project_and_model_are_those_of_the_manifest(machine: Machine) -> None:
    write(machine, "S1", message(1, "user"), message(2), cwd="/home/ada/shop", model="glm-5", provider="zai")
    prompt, answer = sorted(machine.run(), key=lambda row: row["role"], reverse=True)
    assert (prompt["project"], answer["project"]) == ("shop", "shop")
    assert (answer["model"], answer["provider"], answer["reported_cost_usd"]) == ("glm-5", "zai", "0.01")


@pytest.mark.parametrize(
    "manifest", ["", "{", "[]", "7", '{"cwd": 7, "model": [], "metadata": {"fork": 3}}', "[" * 9999]
)
def test_manifest_of_any_content_stops_nothing(machine: Machine, manifest: str) -> None:
    path = write(machine, "S1", message(1, "user"), message(2))
    path.with_name("S1.json").write_text(manifest)
    assert [row["project"] for row in machine.run()] == [None, None]


def forked(parent: str) -> dict[str, object]:
    return {"cwd": "/home/ada/shop", "metadata": {"fork": {"forkedFromSessionId": parent}}}


@pytest.mark.parametrize("order", [("S1", "S2", "S3"), ("S3", "S2", "S1")])
def test_messages_that_forks_copied_count_once(machine: Machine, order: tuple[str, ...]) -> None:
    history = [message(1, "user"), message(2)]
    sessions: dict[str, tuple[list[dict[str, object]], dict[str, object]]] = {
        "S1": (history, {"cwd": "/home/ada/shop"}),
        "S2": ([*history, message(3, "user"), message(4)], forked("S1")),
        "S3": ([*history, message(5)], forked("S2")),
    }
    for name in order:
        messages, manifest = sessions[name]
        write_manifest(write(machine, name, *messages), manifest)
    rows = machine.run()
    assert sorted(row["message_id"].split(":")[1] for row in rows) == ["m1", "m2", "m3", "m4", "m5"]


def test_sessions_with_equal_ids_of_messages_are_different(machine: Machine) -> None:
    for name in ("S1", "S2"):
        write(machine, name, message(1, "user"), message(2), cwd="/home/ada/shop")
    assert len(machine.run()) == 4


@pytest.mark.parametrize("parent", ["S1", "../../S1", "/etc", "..", "", "C:S1"])
def test_forks_in_a_circle_or_of_a_path_end(machine: Machine, parent: str) -> None:
    write_manifest(write(machine, "S1", message(1)), forked(parent))
    assert len(machine.run()) == 1


def test_sub_agents_beside_their_session_count_without_prompts(machine: Machine) -> None:
    write(machine, "S1", message(1, "user"), message(2), cwd="/home/ada/shop")
    write(machine, "S1", message(11, "user"), message(12), name="agent_7")
    write(machine, "S1", message(11, "user"), message(12), message(13), name="agent_7__again")  # a later snapshot
    write(machine, "S1__agent_8", message(21, "user"), message(22), cwd="/home/ada/shop")
    write(machine, "S2", message(31, "user"), message(32), is_subagent=True, parent_session_id="S1")
    rows = machine.run()
    assert [row["role"] for row in rows].count("user") == 1
    assert sorted(row["message_id"].split(":")[1] for row in rows if row["role"] == "assistant") == [
        *("m12", "m13", "m2", "m22", "m32"),
    ]


def test_task_in_two_folders_counts_once(machine: Machine) -> None:
    content = json.dumps([request(1, 5), request(2, 6)])
    for folder in (".cline/data/tasks", ".config/Code/User/globalStorage/saoudrizwan.claude-dev/tasks"):
        path = machine.home / folder / "1767/ui_messages.json"
        path.parent.mkdir(parents=True)
        path.write_text(content)
    result = machine.collect()
    assert (result.looked_at, result.new, result.unchanged) == (2, 2, 2)


def test_session_cut_while_it_is_written_waits_for_its_end(machine: Machine) -> None:
    path = write(machine, "S1", message(1, "user"), message(2), message(3))
    whole = path.read_text()
    for end in range(1, len(whole), 31):
        path.write_text(whole[:end])
        result = machine.collect()
        assert (result.bad_files, result.skipped, result.new) == ({}, {}, 0)
    path.write_text(whole)
    assert len(machine.run()) == 3
