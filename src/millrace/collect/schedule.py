"""The files and commands by which an operating system runs `millrace collect` on schedule; nothing is written or run.

Linux: a service and a timer of the user's systemd. macOS: an agent of launchd. Windows: a task of the Task Scheduler.
"""

import os
import plistlib
import re
import shlex
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import time
from pathlib import Path
from typing import Literal
from xml.etree import ElementTree

from millrace.collect.discovery import Platform
from millrace.errors import ConfigError

Every = Literal["daily", "hourly"]

_UNIT = "millrace-collect"
_LABEL = "millrace.collect"
_TASK = "Millrace collect"
_TITLE = "Count what the coding agents of this machine used (millrace collect)"
_TASK_XML = "http://schemas.microsoft.com/windows/2004/02/mit/task"

SECRET = "MILLRACE_COLLECT_HASH_KEY"  # noqa: S105 the name of a setting
_PATHS = (
    "MILLRACE_COLLECT_HASH_KEY_FILE",
    "MILLRACE_COLLECT_STATE",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "CLOUDSDK_CONFIG",
    "PYTHONPATH",
)
PASSED = (
    *_PATHS,
    "MILLRACE_LAKE",
    "MILLRACE_COLLECT_USER",
    "MILLRACE_COLLECT_OWNERS",
    "CLAUDE_CONFIG_DIR",
    "CODEX_HOME",
    "CLINE_SESSION_DATA_DIR",
    "CLINE_DATA_DIR",
    "CLINE_DIR",
    "KILO_DB",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "XDG_STATE_HOME",
    "TZ",
)
"""The variables that a scheduled run gets, where they are set: settings and folders, no secret."""

# What no unit, plist or XML document can hold, or what one of them ends a line at.
_FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]")
_PLAIN = re.compile(r"[\w./:@=+,-]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Schedule:
    """What is run, with which variables, and when: at a time of each day (local time), or each hour."""

    command: tuple[str, ...]
    environment: Mapping[str, str]
    every: Every = "daily"
    at: time = time(12)


@dataclass(frozen=True, slots=True)
class Account:
    """Whose schedule it is: the kind of system, the home folder, the environment, and the number of the user."""

    platform: Platform
    home: Path
    variables: Mapping[str, str]
    uid: int = 0


@dataclass(frozen=True, slots=True)
class Command:
    """A command of the system; `may_fail` where a failure means that there was nothing to do."""

    words: tuple[str, ...]
    may_fail: bool = False

    @property
    def text(self) -> str:
        """The command as a line for a shell."""
        return shlex.join(self.words)


@dataclass(frozen=True, slots=True)
class Plan:
    """What an installation writes and runs, and how it is undone.

    `links` are files that the commands of `start` create. `forget` is run after the files are removed. `log` is where
    to read what the runs printed.
    """

    files: Mapping[Path, bytes]
    start: tuple[Command, ...]
    stop: tuple[Command, ...]
    log: str
    links: tuple[Path, ...] = ()
    forget: tuple[Command, ...] = ()
    notes: tuple[str, ...] = ()


def environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that a scheduled run gets; ConfigError where one is needed that must not be written down."""
    if environ.get(SECRET, "").strip():
        raise ConfigError(
            f"{SECRET} is a secret, and would be readable in the schedule; write the key into a file that only you "
            f"can read (mode 0600), set {SECRET}_FILE to its path, and unset {SECRET}"
        )
    given = {name: environ[name] for name in PASSED if environ.get(name)}
    return {name: _absolute(value) if name in _PATHS else value for name, value in given.items()}


def plan(schedule: Schedule, account: Account) -> Plan:
    """Return what the account's system needs to run a schedule; ConfigError for a word that it cannot hold."""
    for text in (*schedule.command, *schedule.environment.values(), str(account.home)):
        if _FORBIDDEN.search(text):
            raise ConfigError(f"expected paths and settings of printable characters, got {text!r}")
    plans = {"linux": _systemd, "darwin": _launchd, "win32": _task_scheduler}
    return plans[account.platform](schedule, account)


def described(platform: Platform, files: Mapping[Path, bytes]) -> str:
    """Return in one line when the files of a plan run something, and what; '' when they cannot be read."""
    try:
        if platform == "linux":
            return _described_units([content.decode() for content in files.values()])
        (content,) = files.values()
        return _described_agent(plistlib.loads(content)) if platform == "darwin" else _described_task(content)
    except (ValueError, LookupError, AttributeError, plistlib.InvalidFileException, ElementTree.ParseError):
        return ""


def _absolute(value: str) -> str:
    return os.pathsep.join(str(Path(part).absolute()) for part in value.split(os.pathsep) if part)


# ---- systemd: https://www.freedesktop.org/software/systemd/man/latest/systemd.service.html


def _systemd(schedule: Schedule, account: Account) -> Plan:
    folder = Path(account.variables.get("XDG_CONFIG_HOME") or account.home / ".config") / "systemd" / "user"
    service, timer = folder / f"{_UNIT}.service", folder / f"{_UNIT}.timer"
    when = "hourly" if schedule.every == "hourly" else f"*-*-* {schedule.at:%H:%M}:00"
    delay = "5min" if schedule.every == "hourly" else "15min"
    variables = [f"Environment={_quoted(f'{name}={value}')}" for name, value in schedule.environment.items()]
    lines = {
        service: [
            "[Unit]",
            f"Description={_TITLE}",
            "",
            "[Service]",
            "Type=oneshot",
            *variables,
            f"ExecStart={_exec_start(schedule.command)}",
            "Nice=10",
        ],
        timer: [
            "[Unit]",
            f"Description={_TITLE}",
            "",
            "[Timer]",
            f"OnCalendar={when}",
            f"RandomizedDelaySec={delay}",
            "Persistent=true",
            "",
            "[Install]",
            "WantedBy=timers.target",
        ],
    }
    systemctl = ("systemctl", "--user")
    return Plan(
        files={path: "\n".join([*content, ""]).encode() for path, content in lines.items()},
        start=(
            Command((*systemctl, "daemon-reload")),
            Command((*systemctl, "enable", timer.name)),
            Command((*systemctl, "restart", timer.name)),
        ),
        stop=(Command((*systemctl, "disable", "--now", timer.name)),),
        links=(folder / "timers.target.wants" / timer.name,),
        forget=(Command((*systemctl, "daemon-reload")),),
        log=f"journalctl --user -u {_UNIT}",
        notes=("it runs while you are signed in; on a machine where you are not: loginctl enable-linger",),
    )


def _exec_start(command: tuple[str, ...]) -> str:
    """Return the words of a command; where one has a dollar, `:` keeps systemd from replacing variables."""
    first, *others = command
    if set(first) & set("\"'\\"):
        raise ConfigError(
            f"systemd runs no program whose path has quotes or backslashes: {first}; install it elsewhere"
        )
    prefix = ":" if any("$" in word for word in command) else ""
    return " ".join(_quoted(word) for word in (prefix + first, *others))


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return escaped if _PLAIN.fullmatch(text) else f'"{escaped}"'


def _described_units(units: list[str]) -> str:
    text = "\n".join(units)
    words = shlex.split(re.findall(r"^ExecStart=(.*)$", text, re.MULTILINE)[0].replace("%%", "%"))
    when = re.findall(r"^OnCalendar=(.*)$", text, re.MULTILINE)[0]
    at = re.fullmatch(r"\*-\*-\* (\d\d:\d\d):00", when)
    return _line(at[1] if at else None, shlex.join([words[0].removeprefix(":"), *words[1:]]))


# ---- launchd: launchd.plist(5)


def _launchd(schedule: Schedule, account: Account) -> Plan:
    path = account.home / "Library" / "LaunchAgents" / f"{_LABEL}.plist"
    log = str(account.home / "Library" / "Logs" / f"{_UNIT}.log")
    at = {"Minute": 0} if schedule.every == "hourly" else {"Hour": schedule.at.hour, "Minute": schedule.at.minute}
    agent = {
        "Label": _LABEL,
        "ProgramArguments": list(schedule.command),
        "EnvironmentVariables": dict(schedule.environment),
        "StartCalendarInterval": at,
        "RunAtLoad": True,  # a run that was missed because the machine was off is made at the next sign-in
        "ProcessType": "Background",
        "StandardOutPath": log,
        "StandardErrorPath": log,
    }
    domain = f"gui/{account.uid}"
    bootout = Command(("launchctl", "bootout", f"{domain}/{_LABEL}"), may_fail=True)
    return Plan(
        files={path: plistlib.dumps(agent, sort_keys=False)},
        start=(bootout, Command(("launchctl", "bootstrap", domain, str(path)))),
        stop=(bootout,),
        log=log,
    )


def _described_agent(agent: Mapping[str, object]) -> str:
    at, command = agent["StartCalendarInterval"], agent["ProgramArguments"]
    if not isinstance(at, dict) or not isinstance(command, list):
        raise ValueError("expected a calendar interval and a list of words")
    is_daily = "Hour" in at
    return _line(f"{at['Hour']:02d}:{at['Minute']:02d}" if is_daily else None, shlex.join(map(str, command)))


# ---- Task Scheduler: https://learn.microsoft.com/openspecs/windows_protocols/ms-tsch (2.5, XML task definition format)


def _task_scheduler(schedule: Schedule, account: Account) -> Plan:
    folder = Path(account.variables.get("LOCALAPPDATA") or account.home / "AppData" / "Local") / "millrace"
    path, log = folder / f"{_UNIT}.xml", folder / f"{_UNIT}.log"
    # A task has neither variables nor a log: the command gets both as options.
    variables = [word for name, value in schedule.environment.items() for word in ("--set", f"{name}={value}")]
    first, *others = (*schedule.command, *variables, "--log", str(log))
    ElementTree.register_namespace("", _TASK_XML)
    task = ElementTree.Element(f"{{{_TASK_XML}}}Task", version="1.2")
    _add(task, {"RegistrationInfo": {"Description": _TITLE}, "Triggers": _trigger(schedule)})
    _add(
        task,
        {
            "Settings": {
                "MultipleInstancesPolicy": "IgnoreNew",
                "DisallowStartIfOnBatteries": "false",
                "StopIfGoingOnBatteries": "false",
                "StartWhenAvailable": "true",
            },
            "Principals": {"Principal": {"LogonType": "InteractiveToken", "RunLevel": "LeastPrivilege"}},
            "Actions": {"Exec": {"Command": first, "Arguments": subprocess.list2cmdline(others)}},
        },
    )
    return Plan(
        files={path: ElementTree.tostring(task, encoding="utf-16", xml_declaration=True)},
        start=(Command(("schtasks", "/Create", "/TN", _TASK, "/XML", str(path), "/F")),),
        stop=(Command(("schtasks", "/Delete", "/TN", _TASK, "/F")),),
        log=str(log),
    )


def _trigger(schedule: Schedule) -> dict[str, object]:
    if schedule.every == "hourly":
        return {"TimeTrigger": {"StartBoundary": "2026-01-01T00:00:00", "Repetition": {"Interval": "PT1H"}}}
    begins, day = f"2026-01-01T{schedule.at:%H:%M}:00", {"DaysInterval": "1"}
    return {"CalendarTrigger": {"StartBoundary": begins, "RandomDelay": "PT15M", "ScheduleByDay": day}}


def _add(parent: ElementTree.Element, content: Mapping[str, object]) -> None:
    for name, value in content.items():
        child = ElementTree.SubElement(parent, f"{{{_TASK_XML}}}{name}")
        if isinstance(value, Mapping):
            _add(child, value)
        else:
            child.text = str(value)


def _described_task(content: bytes) -> str:
    task = ElementTree.fromstring(content)  # noqa: S314 the file that an installation wrote
    named = {name: f".//{{{_TASK_XML}}}{name}" for name in ("Command", "Arguments", "CalendarTrigger", "StartBoundary")}
    begins = task.findtext(named["StartBoundary"], "").partition("T")[2][:5]
    is_daily = task.find(named["CalendarTrigger"]) is not None
    command = subprocess.list2cmdline([task.findtext(named["Command"], "")])
    return _line(begins if is_daily else None, f"{command} {task.findtext(named['Arguments'], '')}")


def _line(at: str | None, command: str) -> str:
    return f"{'each hour' if at is None else f'daily at {at}'}: {command}"
