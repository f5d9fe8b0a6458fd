"""`millrace collect --install`, `--installed`, `--uninstall`, in a home with a systemctl that notes its calls."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from millrace.cli import main as cli

pytestmark = pytest.mark.slow
SOURCE = Path(__file__).parents[2] / "src"
SETTINGS = (
    "LAKE",
    "COLLECT",
    "COLLECT_OWNERS",
    "COLLECT_USER",
    "COLLECT_STATE",
    "COLLECT_HASH_KEY",
    "COLLECT_HASH_KEY_FILE",
)
Answer = tuple[int, str, str]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home, in which a user's session has systemd, and no variable but the path of this package."""
    for name in (*(f"MILLRACE_{name}" for name in SETTINGS), "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    home = tmp_path / "my home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("PYTHONPATH", str(SOURCE))
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MILLRACE_DATA_DIR", "data")
    systemctl(tmp_path, "exit 0")
    return home


def systemctl(folder: Path, behaviour: str, name: str = "systemctl") -> None:
    """Write a systemctl that notes its words, and then behaves as a line of shell says."""
    program = folder / "bin" / name
    program.parent.mkdir(exist_ok=True)
    program.write_text(f'#!/bin/sh\necho "$@" >> {shlex.quote(str(folder / "calls"))}\n{behaviour}\n')
    program.chmod(0o755)


@pytest.fixture
def millrace(capsys: pytest.CaptureFixture[str]) -> Callable[..., Answer]:
    def run(*words: str) -> Answer:
        code = cli.main(["collect", *words])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def calls(home: Path) -> list[str]:
    notes = home.parent / "calls"
    return notes.read_text().splitlines() if notes.exists() else []


def files(home: Path) -> dict[str, str]:
    return {path.relative_to(home).as_posix(): path.read_text() for path in sorted(home.rglob("*")) if path.is_file()}


SERVICE, TIMER = (f".config/systemd/user/millrace-collect.{kind}" for kind in ("service", "timer"))


def test_the_list_of_owners_is_kept_as_option_and_as_setting(
    home: Path, millrace: Callable[..., Answer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MILLRACE_COLLECT_OWNERS", "third")
    assert millrace("--install", "--owners", "other,Acme")[0] == 0
    service = files(home)[SERVICE]
    assert "--owners acme,other" in service
    assert "Environment=MILLRACE_COLLECT_OWNERS=third" in service


def test_install_writes_the_units_and_starts_the_timer(home: Path, millrace: Callable[..., Answer]) -> None:
    code, out, err = millrace("--install", "--at", "06:30", "--agents", "claude,codex")
    assert (code, err, list(files(home))) == (0, "", [SERVICE, TIMER])
    assert calls(home) == [
        "--user daemon-reload",
        "--user enable millrace-collect.timer",
        "--user restart millrace-collect.timer",
    ]
    data = f"{home.parent}/data"
    assert f" -P -m millrace collect --data-dir {data} --agents claude,codex\n" in files(home)[SERVICE]
    assert f"Environment=PYTHONPATH={SOURCE}\n" in files(home)[SERVICE]
    assert out.startswith("installed: daily at 06:30: ")
    assert "loginctl enable-linger" in out
    assert (home / SERVICE).stat().st_mode & 0o077 == 0


def test_install_again_replaces_the_schedule(home: Path, millrace: Callable[..., Answer]) -> None:
    millrace("--install")
    once = files(home)
    assert millrace("--install")[1].startswith("updated: daily at 12:00: ")
    assert files(home) == once
    assert millrace("--install", "--every", "hourly", "--lake", "gs://lake")[1].startswith("updated: each hour: ")
    assert "OnCalendar=hourly" in files(home)[TIMER]
    assert "--data-dir" not in files(home)[SERVICE]


def test_settings_that_are_set_are_passed_and_no_others(
    home: Path, millrace: Callable[..., Answer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MILLRACE_LAKE", "gs://lake")
    monkeypatch.setenv("MILLRACE_COLLECT_USER", "ada 100%")
    monkeypatch.setenv("MILLRACE_SOURCE_KEY", "do-not-tell")
    assert millrace("--install")[0] == 0
    named = re.findall(r"^Environment=\"?(\w+)", files(home)[SERVICE], re.MULTILINE)
    assert named == ["PYTHONPATH", "MILLRACE_LAKE", "MILLRACE_COLLECT_USER"]
    assert '"MILLRACE_COLLECT_USER=ada 100%%"' in files(home)[SERVICE]
    assert "do-not-tell" not in files(home)[SERVICE]
    assert "--data-dir" not in files(home)[SERVICE]


def test_a_hash_key_is_refused_and_its_file_is_passed(
    home: Path, millrace: Callable[..., Answer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MILLRACE_COLLECT_HASH_KEY", "k" * 16)
    code, _, err = millrace("--install")
    assert (code, err.count("\n"), files(home), calls(home)) == (2, 1, {}, [])
    assert "MILLRACE_COLLECT_HASH_KEY_FILE" in err
    monkeypatch.delenv("MILLRACE_COLLECT_HASH_KEY")
    key = home.parent / "key"
    key.write_text("k" * 16)
    key.chmod(0o600)
    monkeypatch.setenv("MILLRACE_COLLECT_HASH_KEY_FILE", "key")
    assert millrace("--install")[0] == 0
    assert f"Environment=MILLRACE_COLLECT_HASH_KEY_FILE={key}\n" in files(home)[SERVICE]
    assert "k" * 16 not in files(home)[SERVICE]


@pytest.mark.parametrize("option", ["--install", "--uninstall"])
def test_a_dry_run_writes_and_runs_nothing(home: Path, millrace: Callable[..., Answer], option: str) -> None:
    if option == "--uninstall":
        millrace("--install")
    before, called = files(home), calls(home)
    code, out, _ = millrace(option, "--dry-run")
    assert (code, files(home), calls(home)) == (0, before, called)
    assert re.findall(r"would (?:write|remove): (.*)", out) == [str(home / SERVICE), str(home / TIMER)]
    assert "would run: systemctl --user daemon-reload" in out
    assert ("OnCalendar=*-*-* 12:00:00" in out) == (option == "--install")


def test_uninstall_removes_what_was_installed_and_nothing_else(home: Path, millrace: Callable[..., Answer]) -> None:
    millrace("--install")
    other = home / ".config/systemd/user/other.timer"
    other.write_text("[Timer]")
    link = home / ".config/systemd/user/timers.target.wants/millrace-collect.timer"
    link.parent.mkdir()
    link.symlink_to(home / TIMER)
    code, out, _ = millrace("--uninstall")
    assert (code, list(files(home)), link.is_symlink()) == (0, [".config/systemd/user/other.timer"], False)
    assert calls(home)[3:] == ["--user disable --now millrace-collect.timer", "--user daemon-reload"]
    assert out.count("removed: ") == 2
    assert millrace("--uninstall")[:2] == (0, "no schedule is installed\n")
    assert len(calls(home)) == 5


def test_the_installed_schedule_is_shown(home: Path, millrace: Callable[..., Answer]) -> None:
    code, out, _ = millrace("--installed")
    assert (code, out.startswith("no schedule is installed")) == (1, True)
    millrace("--install", "--at", "23:59")
    code, out, _ = millrace("--installed")
    assert (code, out.startswith("installed: daily at 23:59: ")) == (0, True)
    assert "journalctl --user -u millrace-collect" in out
    (home / TIMER).unlink()
    assert millrace("--installed")[1].startswith("a damaged schedule is installed: ")


def test_macos_loads_an_agent(home: Path, millrace: Callable[..., Answer], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "darwin")
    systemctl(home.parent, '[ "$1" != bootout ] || exit 3', "launchctl")  # nothing is loaded yet
    plist = "Library/LaunchAgents/millrace.collect.plist"
    assert (millrace("--install")[0], list(files(home))) == (0, [plist])
    domain = f"gui/{os.getuid()}"
    assert calls(home) == [f"bootout {domain}/millrace.collect", f"bootstrap {domain} {home}/{plist}"]
    assert millrace("--installed")[1].startswith("installed: daily at 12:00: ")
    assert (millrace("--uninstall")[0], files(home)) == (0, {})


def test_windows_registers_a_task(home: Path, millrace: Callable[..., Answer], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", str(home / "Local"))
    systemctl(home.parent, "exit 0", "schtasks")
    task = home / "Local" / "millrace" / "millrace-collect.xml"
    assert millrace("--install", "--lake", "gs://lake")[0] == 0
    assert calls(home) == [f"/Create /TN Millrace collect /XML {task} /F"]
    assert task.read_text("utf-16").startswith("<?xml version='1.0' encoding='utf-16'?>\n<Task ")
    assert millrace("--installed")[1].startswith("installed: daily at 12:00: ")
    assert millrace("--uninstall")[0] == 0
    assert (calls(home)[1:], task.exists()) == (["/Delete /TN Millrace collect /F"], False)


@pytest.mark.parametrize("step", ["daemon-reload", "enable", "restart"])
def test_a_step_that_fails_leaves_no_file(home: Path, millrace: Callable[..., Answer], step: str) -> None:
    systemctl(home.parent, f'[ "$2" != {step} ] || {{ echo "Failed to connect to bus: No medium found" >&2; exit 1; }}')
    code, _, err = millrace("--install")
    assert (code, files(home), err.count("\n")) == (3, {}, 1)
    assert err.startswith(f"error: systemctl --user {step}")
    assert "failed: Failed to connect to bus: No medium found; " in err
    assert "--user disable --now millrace-collect.timer" in calls(home)


def test_an_update_that_fails_leaves_the_earlier_schedule(home: Path, millrace: Callable[..., Answer]) -> None:
    millrace("--install", "--at", "01:00")
    before = files(home)
    systemctl(home.parent, '[ "$2" != restart ] || exit 1')
    assert millrace("--install", "--at", "02:00")[0] == 3
    assert files(home) == before


def test_a_system_without_systemctl_is_named(
    home: Path, millrace: Callable[..., Answer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(home.parent / "nothing"))
    code, _, err = millrace("--install")
    assert (code, files(home), err.count("\n")) == (2, {}, 1)
    assert err.startswith("error: systemctl is not on this machine; ")
    assert "--dry-run" in err


def test_uninstall_removes_the_files_where_systemctl_fails(home: Path, millrace: Callable[..., Answer]) -> None:
    millrace("--install")
    systemctl(home.parent, "exit 1")
    code, out, _ = millrace("--uninstall")
    assert (code, files(home)) == (1, {})
    assert "look: systemctl --user disable --now millrace-collect.timer failed: exit code 1" in out


def test_a_program_that_starts_only_here_is_not_installed(
    home: Path, millrace: Callable[..., Answer], monkeypatch: pytest.MonkeyPatch
) -> None:
    (home.parent / "broken").mkdir()
    (home.parent / "broken" / "millrace.py").write_text("raise SystemExit('not this one')")
    monkeypatch.setenv("PYTHONPATH", "broken")
    code, _, err = millrace("--install")
    assert (code, files(home), calls(home)) == (2, {}, [])
    assert "does not start outside of this folder: not this one; " in err


def test_collecting_that_is_off_is_not_installed(
    home: Path, millrace: Callable[..., Answer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MILLRACE_COLLECT", "off")
    assert (millrace("--install")[0], files(home)) == (2, {})


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--install", "--uninstall"), "expected one of --install, --uninstall, --installed, got --install and"),
        (("--install", "--watch"), "expected --install without --watch and --json"),
        (("--uninstall", "--json"), "expected --uninstall without --watch and --json"),
        (("--at", "12:00"), "expected --install beside --every and --at"),
        (("--every", "daily"), "expected --install beside --every and --at"),
        (("--install", "--every", "hourly", "--at", "12:00"), "expected --at or --every hourly, got both"),
        (("--install", "--at", "24:00"), "expected a time like 12:30, got '24:00'"),
        (("--install", "--at", "7:00"), "expected a time like 12:30, got '7:00'"),
        (("--install", "--every", "weekly"), "'weekly' is not one of 'daily', 'hourly'"),
        (("--install", "--lake", "gs://lake", "--data-dir", "d"), "got both"),
        (("--install", "--lake", "nonsense"), "expected file:///an/absolute/path, got 'nonsense'"),
        (("--install", "--lake", "gs://B"), "expected gs://BUCKET, got 'gs://B'"),
        (("--set", "MILLRACE_SOURCE_KEY=x"), "expected NAME=VALUE with a variable of a schedule"),
    ],
)
def test_a_contradiction_is_refused(
    home: Path, millrace: Callable[..., Answer], words: tuple[str, ...], why: str
) -> None:
    code, _, err = millrace(*words)
    assert (code, why in err, files(home), calls(home)) == (2, True, {}, []), err


def test_a_key_file_that_others_may_read_is_refused(
    home: Path, millrace: Callable[..., Answer], monkeypatch: pytest.MonkeyPatch
) -> None:
    key = home.parent / "key"
    key.write_text("k" * 16)
    key.chmod(0o644)
    monkeypatch.setenv("MILLRACE_COLLECT_HASH_KEY_FILE", str(key))
    code, _, err = millrace("--dry-run")
    assert (code, f"chmod 600 {key}" in err) == (2, True)
    key.chmod(0o600)
    key.write_text("short")
    code, _, err = millrace("--dry-run")
    assert (code, "MILLRACE_COLLECT_HASH_KEY_FILE: expected at least 16 characters" in err) == (2, True)


def test_a_scheduled_run_writes_its_log_into_a_file(home: Path) -> None:
    log = home / "logs" / "collect.log"
    options = ("--dry-run", "--set", f"MILLRACE_COLLECT_STATE={home / 'state'}", "--log", str(log))
    command = [sys.executable, "-m", "millrace", "collect", *options]
    for _ in range(2):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout, done.stderr) == (1, "", "")
    assert log.read_text().count("no log of a coding agent was found") == 2
    assert log.stat().st_mode & 0o077 == 0
