"""Neither the owner of a machine nor a path above a project is in anything that a collector sends."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.collect.machine import Machine, Row, bubble, cursor_database, put, request

from millrace.collect.identity import owner
from millrace.collect.parsers.naming import UNKNOWN_OWNER, Owner, id_name, model_name, project_slug

DOCS = Path(__file__).parents[2] / "docs" / "usage.md"
TABLE = DOCS.read_text().partition("<!-- homes -->")[2].partition("<!-- /homes -->")[0]
WRITTEN = re.findall(r"^\| `(.+)` \| (?:`(.+)`|none) \|$", TABLE, re.MULTILINE)
FORMS = [*WRITTEN, ("/".join(["", "root", "code", "shop"]), "code-shop")]  # the home of the superuser
AT = "2026-01-02T03:04:05Z"


def claude(cwd: str) -> list[object]:
    usage = {"input_tokens": 1, "output_tokens": 2}
    body = {"id": "m1", "model": "claude-sonnet-4", "usage": usage}
    return [{"type": "assistant", "sessionId": "S1", "timestamp": AT, "cwd": cwd, "gitBranch": cwd, "message": body}]


def codex(cwd: str) -> list[object]:
    info = {"total_token_usage": {"input_tokens": 5, "output_tokens": 2}}
    return [
        {"timestamp": AT, "type": "session_meta", "payload": {"id": "S1", "cwd": cwd}},
        {"timestamp": AT, "type": "turn_context", "payload": {"cwd": cwd, "model": "gpt-5"}},
        {"timestamp": AT, "type": "event_msg", "payload": {"type": "token_count", "info": info}},
    ]


AGENTS = {"claude": claude, "codex": codex}


def sent(machine: Machine, agent: str, cwd: str) -> Row:
    lines = AGENTS[agent](cwd)
    machine.log(agent).write_text("".join(json.dumps(line) + "\n" for line in lines))
    (row,) = machine.run()
    return row


def naming_values(row: Row) -> Iterator[tuple[str, str]]:
    """Return each field that could hold a name or a part of a path."""
    return ((name, str(value).casefold()) for name, value in row.items() if isinstance(value, str))


def test_the_table_has_thirty_forms() -> None:
    assert len(WRITTEN) >= 30
    assert TABLE.count("\n| `") == len(WRITTEN)


@pytest.mark.parametrize("agent", AGENTS)
@pytest.mark.parametrize(("cwd", "project"), FORMS)
def test_each_home_path_form_is_sent_as_expected_project(machine: Machine, agent: str, cwd: str, project: str) -> None:
    row = sent(machine, agent, cwd)
    assert row["project"] == (project or None)
    above = ("alice", "smith", "home", "users", "corp", "ubuntu", "settings", "volumes", "cygdrive")
    assert [(name, value) for name, value in naming_values(row) for word in above if word in value] == []


OWN = Owner.of(["/srv/people/Alice Smith", "/mnt/d/alice", "D:\\Profiles\\alice"], ["alice"])


@pytest.mark.parametrize(
    "cwd",
    [
        "/srv/people/Alice Smith/code/shop",
        "/SRV/People/alice smith/code/shop",
        "\\\\wsl$\\Ubuntu\\srv\\people\\Alice Smith\\code\\shop",
        "\\\\wsl.localhost\\Debian\\srv\\people\\alice smith\\code\\shop",
        "vscode-remote://wsl+ubuntu/srv/people/Alice%20Smith/code/shop",
        "D:\\Profiles\\alice\\code\\shop",
        "/mnt/d/profiles/ALICE/code/shop",
        "/d/Profiles/alice/code/shop",
        "/cygdrive/d/Profiles/alice/code/shop",
        "\\\\host\\d$\\Profiles\\alice\\code\\shop",
        "/mnt/d/alice/code/shop",
        "/data/ssd/alice/code/shop",
        "/home/corp/alice/code/shop",
    ],
)
def test_the_collectors_own_home_goes_however_a_system_writes_it(machine: Machine, cwd: str) -> None:
    machine.owner = OWN
    assert sent(machine, "claude", cwd)["project"] == "code-shop"


def test_folders_below_the_own_home_stay_whatever_they_are_called() -> None:
    own = Owner.of(["/home/bob"], ["bob"])
    assert project_slug(own.below("/home/bob/src/home/page")) == "src-home-page"
    assert project_slug(own.below("/home/bob")) is None
    assert project_slug(own.below("/home/bobby/x")) == "x"


def test_a_home_is_known_resolved_as_well(tmp_path: Path) -> None:
    (tmp_path / "disk/ann-smith").mkdir(parents=True)
    (tmp_path / "ann").symlink_to(tmp_path / "disk/ann-smith")
    hidden = owner(tmp_path / "ann", {"USER": "ann.smith", "LOGNAME": "root"})
    for cwd in (tmp_path / "ann/code", tmp_path / "disk/ann-smith/code", "/scratch/ann.smith/code"):
        assert project_slug(hidden.below(str(cwd))) == "code"
    assert hidden.names == {"ann", "ann.smith"}


def test_a_name_that_many_have_is_no_owners() -> None:
    assert Owner.of([], ["root", "dev", "al", None, ""]) == UNKNOWN_OWNER


@pytest.mark.parametrize(
    "model",
    [
        "C:/Users/alice/models/llama.gguf",
        "c:llama",
        "Users/alice/secret/x.gguf",
        "https://internal.acme.corp/v1",
        "file:/models/x",
        "/models/alice",
        "~/models/x",
        "./x",
        "\\\\fs\\models\\x",
        "models/home/alice/x",
        "llama-3.safetensors",
        "LLAMA.GGUF",
        "localhost:8080/llama",
        "a/b/c/d",
        "sk-ant-api03-AAAAAAAAAAAAAAAAAAAA",
        "ghp_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    ],
)
def test_a_model_that_is_a_place_or_a_key_is_hashed(model: str) -> None:
    assert re.fullmatch("h-[0-9a-f]{16}", model_name(model))


@pytest.mark.parametrize(
    "model",
    [
        *("a/b", "openrouter/a/b", "@cf/meta/llama", "claude-sonnet-4-5-20250929", "claude-sonnet-4-5@20250929"),
        *("us.anthropic.claude-sonnet-4-20250514-v1:0", "llama3:70b", "qwen2.5-coder:7b", "opus[1m]", "gpt-5.2-codex"),
        *("hf.co/bartowski/Llama-3.2-GGUF:Q4", "accounts/fireworks/models/llama-v3p1", "anthropic/claude-3.5:beta"),
    ],
)
def test_a_name_of_a_model_or_of_a_router_stays(model: str) -> None:
    assert model_name(model) == model


@pytest.mark.parametrize("model", ["@cf/meta/llama", "C:/Users/alice/models/llama.gguf"])
def test_usage_of_each_model_counts(machine: Machine, model: str) -> None:
    (line,) = claude("/w/x")
    assert isinstance(line, dict)
    line["message"]["model"] = model
    machine.log("claude").write_text(json.dumps(line) + "\n")
    assert [row["model"] for row in machine.run()] == [model_name(model)]


@pytest.mark.parametrize(
    "name",
    ["alice-secret-task", "alice.smith-password:hunter2", "Alice", "hunter2", "alice1985", "AliceSmithSecretTask"],
)
def test_an_id_with_words_in_it_is_hashed(name: str) -> None:
    assert re.fullmatch("h-[0-9a-f]{16}", id_name(name))


@pytest.mark.parametrize(
    "name",
    [
        *("0e8b7c1c-1111-4111-8111-000000000001", "msg_01XFDUDYJgAACzvnptvVoYEL", "req_011CSHoEeqs5C35K2UUqR7Fy"),
        *("msg_bdrk_01XFDUDYJgAACzvnptvVoYEL", "chatcmpl-9kZabcdefghijkLMNOPq", "agent-a1b2c3d4", "1767322801000"),
        *("gen-1731022922-XBa1wiCUsSLKbRYJaVRG", "rollout-2026-01-02T03-04-05", "01ARZ3NDEKTSV4RRFFQ69G5FAV", "S1"),
    ],
)
def test_an_agents_own_id_stays(name: str) -> None:
    assert id_name(name) == name


@pytest.mark.parametrize("task", ["alice-secret-task", "Alice's secret task", "alice@example.com"])
def test_a_task_that_is_named_by_a_person_counts_and_is_hashed(machine: Machine, task: str) -> None:
    machine.log("cline", task).write_text(json.dumps([request(1, 5)]))
    (row,) = machine.run()
    assert row["output_tokens"] == 5
    assert [value for _, value in naming_values(row) if "alice" in value] == []


def test_a_session_of_cursor_with_words_in_it_is_hashed(machine: Machine) -> None:
    database = cursor_database(machine.log("cursor"))
    put(database, [("bubbleId:alice-secret:alice-bubble", bubble(3))])
    database.close()
    (row,) = machine.run()
    assert row["output_tokens"] == 3
    assert [value for _, value in naming_values(row) if "alice" in value] == []
