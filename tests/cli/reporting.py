"""A machine with agents' logs, the commands that read them, and priced lines: for the tests of reports."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.collect.machine import Machine, response

from millrace.cli import main as cli

USAGE = {"input_tokens": 1_000_000, "output_tokens": 10}
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MILLRACE_COLLECT_STATE", str(tmp_path / "state"))
    unset = ("CLAUDE_CONFIG_DIR", "CODEX_HOME", "MILLRACE_COLLECT", "MILLRACE_COLLECT_OWNERS", "MILLRACE_DATA_DIR")
    for name in (*unset, "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    return Machine(tmp_path)


@pytest.fixture
def run(machine: Machine, capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*arguments: str) -> tuple[int, str, str]:
        code = cli.main([arguments[0], *arguments[1:], "--home", str(machine.home), "--timezone", "UTC"])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def write(machine: Machine, *lines: bytes, name: str = "S1") -> Path:
    path = machine.log("claude", name)
    path.write_bytes(b"".join(lines))
    return path


def priced(message: str, at: str = "2026-01-02T03:04:05Z", model: str = "claude-opus-4-5") -> bytes:
    """Return a line of Claude Code with a response that costs 5.00025 USD."""
    line = json.loads(response(message, at=at))
    line["message"] |= {"model": model, "usage": USAGE}
    return json.dumps(line).encode() + b"\n"
