"""The command `millrace`: its verbs, their options and help, exit codes, and mistakes on the command line."""

import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import click
import pytest

from millrace.cli import main as cli
from millrace.laptop.project import PROJECT

VERBS = (
    *("build", "collect", "demo", "doctor", "export", "map", "prices", "quarantine", "rebuild", "reconcile", "report"),
    *("run", "serve", "source", "status", "statusline", "usage"),
)


def leaves(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    if isinstance(command, click.Group):
        for name, each in command.commands.items():
            yield from leaves(each, (*path, name))
    else:
        yield path, command


LEAVES = dict(leaves(cli.tree))


def millrace(*arguments: str, **more: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "millrace", *arguments]
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(PROJECT / "src")} | more
    return subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)


def answered(arguments: Sequence[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    code = cli.main(arguments)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_help_lists_the_verbs_and_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = answered(["--help"], capsys)
    listed = re.findall(r"^  (\w+)  ", out.partition("Commands:")[2], re.MULTILINE)
    assert (code, tuple(listed)) == (0, VERBS)
    assert "0 done · 1 needs attention · 2 usage or settings · 3 failed, run it again · 130 interrupted" in out


def test_every_help_has_example_and_describes_every_option() -> None:
    offenders = []
    for path, command in LEAVES.items():
        text = command.get_help(click.Context(command, info_name=f"millrace {' '.join(path)}"))
        hidden = [option for option in command.params if isinstance(option, click.Option) and option.hidden]
        silent = [
            option.name
            for option in command.params
            if isinstance(option, click.Option) and not option.help and option not in hidden
        ]
        if "Example: millrace " not in text or silent:
            offenders.append((path, silent))
    assert offenders == []


def test_every_example_is_a_command_that_parses() -> None:
    for command in LEAVES.values():
        (example,) = re.findall(r"Example: millrace (.*)", command.help or "")
        words = re.split(r" && | \| ", example)[0].replace('"', "").split()
        path = max((path for path in LEAVES if list(path) == words[: len(path)]), key=len)
        context = LEAVES[path].make_context("millrace", words[len(path) :])
        assert context.command is LEAVES[path]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        pytest.param(["run", "--full-refrsh"], "Did you mean '--full-refresh'?", id="a misspelt option"),
        pytest.param(
            ["run", "--develpers", "3"],
            "No such option '--develpers'. (Did you mean one of: '--developers', '--verbose'?)",
            id="a misspelt option with a value",
        ),
        pytest.param(["run", "extra", "words"], "Got unexpected extra arguments (extra words)", id="extra words"),
        pytest.param(["export"], "Missing option '--to'", id="no folder to export to"),
        pytest.param(["run", "--full"], "No such option '--full'", id="an abbreviation"),
        pytest.param(["status", "--developers", "3"], "No such option '--developers'", id="another verb's option"),
        pytest.param(["demmo"], "Did you mean 'demo'?", id="a misspelt verb"),
        pytest.param(["quarantine", "lst"], "Did you mean 'list'?", id="a misspelt verb of a verb"),
        pytest.param(["run", "--since", "now"], "expected 90d, 12w or a day like 2026-01-31, got 'now'", id="no day"),
        pytest.param(["run", "--force", "--no-build"], "expected --force or --no-build, got both", id="contradiction"),
        pytest.param(["collect", "--lake", "gs://b", "--data-dir", "d"], "got both", id="two places to collect to"),
        pytest.param(["quarantine", "discard", "0123456789abcdef-1"], "Missing argument", id="no reason"),
    ],
)
def test_mistake_is_named_with_exit_code_2(arguments: list[str], why: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = answered(arguments, capsys)
    assert (code, out, why in err, "Traceback" in err) == (2, "", True, False), err


def test_setting_that_is_wrong_exits_2(tmp_path: Path) -> None:
    done = millrace("status", "--data-dir", str(tmp_path), MILLRACE_STALE_S="soon")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "MILLRACE_STALE_S: expected a number of at least 0, got 'soon'" in done.stderr


def test_closed_pipe_ends_quietly(tmp_path: Path) -> None:
    command = f"{sys.executable} -m millrace status --data-dir {tmp_path} | head -n 1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], cwd=PROJECT, capture_output=True, text=True, check=True, timeout=600)
    lines = done.stdout.splitlines()
    assert (len(lines), lines[0].startswith("ETL pipeline:"), done.stderr) == (2, True, "")
    assert lines[1] == str(cli.main(["status", "--data-dir", str(tmp_path)]))


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shell_completion_script_is_printed(shell: str) -> None:
    done = millrace(_MILLRACE_COMPLETE=f"{shell}_source")
    assert (done.returncode, "_MILLRACE_COMPLETE" in done.stdout) == (0, True)


def test_shell_completes_options() -> None:
    done = millrace(_MILLRACE_COMPLETE="bash_complete", COMP_WORDS="millrace run --fu", COMP_CWORD="2")
    assert done.stdout.split(",")[-1].strip() == "--full-refresh"


def test_older_names_are_aliases(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = ["--data-dir", str(tmp_path / "none")]
    assert answered(["etl", "status", *folder], capsys) == answered(["status", *folder], capsys)
    assert answered(["usage", "doctor", *folder], capsys) == answered(["doctor", *folder], capsys)


def test_help_imports_no_library_but_click() -> None:
    script = (
        "import sys; from millrace.cli import main as cli; cli.main(['--help']); "
        "heavy = ('pyarrow', 'duckdb', 'rich', 'fastapi', 'flask', 'cloudevents'); "
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=PROJECT, capture_output=True, text=True, check=True, timeout=600
    )
    assert done.stdout.splitlines()[-1] == "[]"
