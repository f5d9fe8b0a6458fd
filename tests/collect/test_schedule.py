"""The schedule of a collector: units, agents and tasks hold the words of a command, and the systems accept them."""

import os
import plistlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import time
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given, strategies as st
from tests.collect.machine import response

from millrace.collect import schedule
from millrace.collect.discovery import Platform
from millrace.collect.schedule import Account, Plan, Schedule
from millrace.errors import ConfigError

SRC = Path(__file__).parents[2] / "src"
AWKWARD = "a b%h $HOME;é"
QUOTES = "'q' \"d\" back\\slash"
TEXT = st.text(st.characters(exclude_categories=("C", "Zl", "Zp")), min_size=1, max_size=12)
WORDS = st.lists(TEXT, min_size=1, max_size=5).map(lambda words: ("/opt/python", *words))
TASK = {"t": "http://schemas.microsoft.com/windows/2004/02/mit/task"}
# The order of the children of each element; the schema allows any order in those that are not listed here.
# https://learn.microsoft.com/openspecs/windows_protocols/ms-tsch (2.5.3)
BASE = ["Enabled", "StartBoundary", "EndBoundary", "Repetition", "ExecutionTimeLimit"]
ORDER = {"CalendarTrigger": [*BASE, "RandomDelay", "ScheduleByDay"], "TimeTrigger": [*BASE, "RandomDelay"]}
KNOWN = {
    "Task": {"RegistrationInfo", "Triggers", "Settings", "Data", "Principals", "Actions"},
    "Exec": {"Command", "Arguments", "WorkingDirectory"},
    "Principal": {"UserId", "LogonType", "GroupId", "DisplayName", "RunLevel"},
}


def plan_of(platform: Platform, wanted: Schedule, home: Path = Path("/home/x")) -> Plan:
    return schedule.plan(wanted, Account(platform, home, {}, 501))


def content(plan: Plan, suffix: str) -> bytes:
    (found,) = [content for path, content in plan.files.items() if path.suffix == suffix]
    return found


def task_of(wanted: Schedule) -> ElementTree.Element:
    return ElementTree.fromstring(content(plan_of("win32", wanted), ".xml"))  # noqa: S314 our own


def words_of_unit(service: str) -> tuple[str, ...]:
    """Return the words that systemd runs: its quoting is that of shlex, and then it replaces `%%`."""
    (line,) = re.findall(r"^ExecStart=(.*)$", service, re.MULTILINE)
    first, *others = (word.replace("%%", "%") for word in shlex.split(line))
    return (first.removeprefix(":"), *others)


def words_of_windows(line: str) -> Iterator[str]:
    """Yield the words of a command line as CommandLineToArgvW splits it."""
    word, is_word, is_quoted, at = "", False, False, 0
    while at < len(line):
        slashes = len(line[at:]) - len(line[at:].lstrip("\\"))
        at += slashes
        follows = line[at : at + 1]
        if follows == '"':
            word, is_word = word + "\\" * (slashes // 2), True
            if slashes % 2:
                word += '"'
            else:
                is_quoted = not is_quoted
        else:
            word, is_word = word + "\\" * slashes, is_word or slashes > 0
            if follows in (" ", "\t", "") and not is_quoted:
                if is_word:
                    yield word
                word, is_word = "", False
            else:
                word, is_word = word + follows, True
        at += 1
    if is_word:
        yield word


@given(WORDS)
def test_a_service_holds_the_words_of_the_command(words: tuple[str, ...]) -> None:
    service = content(plan_of("linux", Schedule(words, {})), ".service").decode()
    assert words_of_unit(service) == words
    has_dollar = any("$" in word for word in words)
    assert ("ExecStart=:" in service or 'ExecStart=":' in service) == has_dollar


@given(TEXT)
def test_a_service_holds_the_variables(value: str) -> None:
    service = content(plan_of("linux", Schedule(("/p",), {"CODEX_HOME": value})), ".service").decode()
    (line,) = re.findall(r"^Environment=(.*)$", service, re.MULTILINE)
    assert [word.replace("%%", "%") for word in shlex.split(line)] == [f"CODEX_HOME={value}"]


@given(WORDS, TEXT)
def test_an_agent_holds_the_words_and_the_variables(words: tuple[str, ...], value: str) -> None:
    agent = plistlib.loads(content(plan_of("darwin", Schedule(words, {"CODEX_HOME": value})), ".plist"))
    assert agent["ProgramArguments"] == list(words)
    assert agent["EnvironmentVariables"] == {"CODEX_HOME": value}


@given(WORDS, TEXT)
def test_a_task_holds_the_words_and_the_variables(words: tuple[str, ...], value: str) -> None:
    task = task_of(Schedule(words, {"CODEX_HOME": value}))
    assert task.findtext(".//t:Command", namespaces=TASK) == words[0]
    arguments = list(words_of_windows(task.findtext(".//t:Arguments", "", TASK)))
    log = "/home/x/AppData/Local/millrace/millrace-collect.log"
    assert arguments == [*words[1:], "--set", f"CODEX_HOME={value}", "--log", log]


@pytest.mark.parametrize("every", ["daily", "hourly"])
def test_a_task_has_the_elements_of_its_schema_in_order(every: schedule.Every) -> None:
    task = task_of(Schedule(("p",), {}, every))
    for element in task.iter():
        name, children = element.tag.partition("}")[2], [child.tag.partition("}")[2] for child in element]
        assert element.tag.startswith("{http://schemas.microsoft.com/windows/2004/02/mit/task}")
        assert len(set(children)) == len(children)
        assert set(children) <= KNOWN.get(name, set(children))
        places = [ORDER[name].index(child) for child in children] if name in ORDER else []
        assert places == sorted(places)
    assert len(task.findall("t:Triggers/*", TASK)) == 1


@pytest.mark.parametrize("platform", ["linux", "darwin", "win32"])
@pytest.mark.parametrize("text", ["a\nb", "a\0b", "a\x1b[2Jb", "a\x85b", "a\udc80b", "a\u2028b", "\ufffe"])
def test_a_word_that_a_file_cannot_hold_is_refused(platform: Platform, text: str) -> None:
    with pytest.raises(ConfigError, match="printable"):
        plan_of(platform, Schedule(("/p", text), {}))
    with pytest.raises(ConfigError, match="printable"):
        plan_of(platform, Schedule(("/p",), {"CODEX_HOME": text}))


@pytest.mark.parametrize("platform", ["linux", "darwin", "win32"])
def test_an_installed_schedule_is_described(platform: Platform) -> None:
    daily = plan_of(platform, Schedule(("/p", "-m", "millrace"), {}, "daily", time(6, 5)))
    assert schedule.described(platform, daily.files).startswith("daily at 06:05: /p -m millrace")
    hourly = plan_of(platform, Schedule(("/p", "-m", "millrace"), {}, "hourly"))
    assert schedule.described(platform, hourly.files).startswith("each hour: /p -m millrace")
    assert schedule.described(platform, dict.fromkeys(daily.files, b"<x>")) == ""


@pytest.mark.parametrize("program", ["/o'brien/python", '/a"b/python', "/a\\b/python"])
def test_a_program_that_systemd_does_not_run_is_refused(program: str) -> None:
    with pytest.raises(ConfigError, match="quotes or backslashes"):
        plan_of("linux", Schedule((program, "-m", "millrace"), {}))


def test_a_timer_makes_up_for_a_missed_run_and_is_not_on_the_minute() -> None:
    timer = content(plan_of("linux", Schedule(("/p",), {})), ".timer").decode()
    assert "\nOnCalendar=*-*-* 12:00:00\nRandomizedDelaySec=15min\nPersistent=true\n" in timer


def test_variables_are_settings_and_folders_with_absolute_paths() -> None:
    given = {
        "MILLRACE_COLLECT_USER": "ada",
        "MILLRACE_COLLECT_STATE": "state",
        "MILLRACE_SOURCE_KEY": "secret",
        "MILLRACE_SNOWFLAKE_KEY": "secret",
        "HTTPS_PROXY": "http://user:secret@proxy",
        "CODEX_HOME": "",
        "PYTHONPATH": f"src{os.pathsep}/abs",
    }
    assert schedule.environment(given) == {
        "MILLRACE_COLLECT_USER": "ada",
        "MILLRACE_COLLECT_STATE": str(Path("state").absolute()),
        "PYTHONPATH": f"{Path('src').absolute()}{os.pathsep}/abs",
    }


def test_a_hash_key_is_never_written_into_a_schedule() -> None:
    with pytest.raises(ConfigError, match="MILLRACE_COLLECT_HASH_KEY_FILE"):
        schedule.environment({"MILLRACE_COLLECT_HASH_KEY": "k" * 16})


def test_every_variable_that_places_depend_on_reaches_a_scheduled_run() -> None:
    modules = [SRC / "millrace" / "collect" / name for name in ("discovery.py", "stores.py", "identity.py")]
    text = "".join(module.read_text() for module in modules if module.exists())
    read = set(re.findall(r'"([A-Z]+(?:_[A-Z]+)+|[A-Z]{4,}DATA)"', text))
    assert {"CODEX_HOME", "CLAUDE_CONFIG_DIR", "XDG_STATE_HOME", "LOCALAPPDATA"} <= read
    assert read - {"APPDATA", "LOCALAPPDATA"} - set(schedule.PASSED) == set()  # Windows sets these two itself


# ---- the real things: systemd reads the units, and the words of one are run


def verified(folder: Path) -> str:
    """Return what systemd finds in the units of a folder; '' when it accepts them."""
    command = ["systemd-analyze", "--user", "verify", *map(str, sorted(folder.glob("*.*")))]
    with tempfile.TemporaryDirectory(dir="/tmp") as run:
        environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "XDG_RUNTIME_DIR": run}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    return done.stdout + done.stderr + (f"exit {done.returncode}" if done.returncode else "")


@pytest.fixture
def awkward(tmp_path: Path) -> Path:
    """A folder whose name has what units replace, with a link to this Python."""
    folder = tmp_path / AWKWARD
    folder.mkdir()
    (folder / "python").symlink_to(sys.executable)
    return folder


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
@pytest.mark.parametrize("every", ["daily", "hourly"])
def test_systemd_accepts_the_units(tmp_path: Path, awkward: Path, every: schedule.Every) -> None:
    words = (str(awkward / "python"), "-P", "-m", "millrace", "collect", "--data-dir", f"{awkward}/{QUOTES}")
    units = tmp_path / "units"
    units.mkdir()
    for path, text in plan_of("linux", Schedule(words, {"CODEX_HOME": f"{awkward}/{QUOTES}"}, every)).files.items():
        (units / path.name).write_bytes(text)
    assert verified(units) == ""
    (awkward / "python").unlink()
    assert "No such file" in verified(units)


@pytest.mark.slow
def test_the_words_of_a_unit_collect_from_another_folder(tmp_path: Path, awkward: Path) -> None:
    home, lake = awkward / "home", tmp_path / "lake"
    log = home / ".claude" / "projects" / "-w-app" / "0e8b7c1c-1111-4111-8111-000000000001.jsonl"
    log.parent.mkdir(parents=True)
    log.write_bytes(response("m1"))
    options = ("--home", str(home), "--lake", f"file://{lake}")
    wanted = Schedule(
        (sys.executable, "-P", "-m", "millrace", "collect", *options),
        {"PYTHONPATH": str(SRC), "MILLRACE_COLLECT_STATE": str(awkward / "state")},
    )
    service = content(plan_of("linux", wanted), ".service").decode()
    variables = re.findall(r"^Environment=(.*)$", service, re.MULTILINE)
    environment = dict(shlex.split(line)[0].replace("%%", "%").split("=", 1) for line in variables)
    done = subprocess.run(words_of_unit(service), cwd="/", env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(list(lake.glob("drop/usage_events/**/*.parquet"))) == 1
    assert (awkward / "state" / "state.sqlite").exists()
