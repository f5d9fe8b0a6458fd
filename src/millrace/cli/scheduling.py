"""`millrace collect --install`, `--uninstall` and `--installed`: the schedule on which the system runs `collect`."""

import os
import sys
from dataclasses import dataclass
from datetime import date, time
from pathlib import Path
from typing import TYPE_CHECKING

from millrace.cli.output import ATTENTION, DONE, say
from millrace.errors import ConfigError

if TYPE_CHECKING:
    from millrace.collect.schedule import Account, Every, Plan
    from millrace.config import CollectConfig


@dataclass(frozen=True, slots=True)
class Asked:
    """The options of a `collect` that is to be scheduled, as they were typed; None where one was not."""

    home: Path | None
    data_dir: Path | None
    lake: str | None
    agents: tuple[str, ...] | None
    without: tuple[str, ...] | None
    since: date | None
    owners: frozenset[str] | None = None

    def words(self, config: "CollectConfig") -> list[str]:
        """Return the options with absolute paths; without a lake, with the data directory that would be used now."""
        from millrace.laptop import places

        data_dir = self.data_dir or (None if self.lake or config.lake else places.real())
        options = {
            "--lake": self.lake,
            "--data-dir": None if data_dir is None else str(data_dir.absolute()),
            "--home": None if self.home is None else str(self.home.absolute()),
            "--agents": ",".join(self.agents or ()),
            "--without": ",".join(self.without or ()),
            "--owners": ",".join(sorted(self.owners or ())),
            "--since": None if self.since is None else self.since.isoformat(),
        }
        return [word for name, value in options.items() if value for word in (name, value)]


def install(asked: Asked, every: "Every", at: time, dry_run: bool) -> int:
    """Install the schedule, or print what that would write and run."""
    from millrace import wiring
    from millrace.collect import schedule, scheduling
    from millrace.config import CollectConfig

    config = CollectConfig.from_env()
    if config.is_off:
        raise ConfigError("MILLRACE_COLLECT is off, so a schedule would read nothing; unset it, then run this again")
    if url := asked.lake or config.lake:
        wiring.lake_bucket(url)
    account, program = _account(config), _program()
    wanted = schedule.Schedule(
        (*program, "collect", *asked.words(config)), schedule.environment(config.environment), every, at
    )
    plan = schedule.plan(wanted, account)
    if dry_run:
        return _show_plan(plan, account, schedule.Command(wanted.command).text)
    if account.platform != "win32":  # a task's variables are options
        scheduling.check(program, wanted, account)
    had = scheduling.installed(plan)
    scheduling.install(plan)
    say(f"{'updated' if had else 'installed'}: {schedule.described(account.platform, plan.files)}")
    _show_files(plan)
    return DONE


def uninstall(dry_run: bool) -> int:
    """Remove the schedule, or print what that would remove and run."""
    from millrace.collect import scheduling
    from millrace.config import CollectConfig

    plan = _nothing(_account(CollectConfig.from_env()))
    had = scheduling.installed(plan)
    if not had:
        say("no schedule is installed")
        return DONE
    for path in had:
        say(f"{'would remove' if dry_run else 'removed'}: {path}")
    if dry_run:
        for command in (*plan.stop, *plan.forget):
            say(f"would run: {command.text}")
        return DONE
    failures = scheduling.uninstall(plan)
    for failure in failures:
        say(f"look: {failure}")
    return ATTENTION if failures else DONE


def show() -> int:
    """Print the installed schedule; exit code 1 when there is none."""
    from millrace.config import CollectConfig

    account = _account(CollectConfig.from_env())
    line = line_of(account)
    say(line)
    if line.startswith("no "):
        return ATTENTION
    _show_files(_nothing(account))
    return DONE


def line_of(account: "Account | None" = None) -> str:
    """Return in one line what is installed."""
    from millrace.collect import schedule, scheduling
    from millrace.config import CollectConfig

    account = account or _account(CollectConfig.from_env())
    plan = _nothing(account)
    found = scheduling.installed(plan)
    if not found:
        return "no schedule is installed, and agents delete their logs; type: millrace collect --install"
    said = schedule.described(account.platform, found) if found.keys() == plan.files.keys() else ""
    return f"installed: {said}" if said else f"a damaged schedule is installed: {next(iter(found))}; install it again"


def _account(config: "CollectConfig") -> "Account":
    from millrace.collect.machine import platform
    from millrace.collect.schedule import Account

    return Account(platform(), Path.home(), config.environment, getattr(os, "getuid", int)())


def _nothing(account: "Account") -> "Plan":
    """Return the plan of a schedule without its command: it has the paths and the commands to stop it."""
    from millrace.collect import schedule

    return schedule.plan(schedule.Schedule(("",), {}), account)


def _program() -> tuple[str, ...]:
    """Return the words that start this program again, from any folder."""
    if not sys.executable:
        raise ConfigError("the path of this Python is not known; run millrace by the Python that it is installed in")
    python = Path(sys.executable)
    windowless = python.with_name("pythonw.exe")  # the other one opens a console at each run
    return (str(windowless if windowless.exists() else python), "-P", "-m", "millrace")


def _show_plan(plan: "Plan", account: "Account", command: str) -> int:
    say(f"would install, to run: {command}")
    for path, content in plan.files.items():
        say(f"would write: {path}")
        text = content.decode("utf-16" if account.platform == "win32" else "utf-8")
        for line in text.splitlines():
            say(f"  {line}")
    for each in plan.start:
        say(f"would run: {each.text}")
    return DONE


def _show_files(plan: "Plan") -> None:
    for path in plan.files:
        say(f"  {path}")
    say(f"what the runs print: {plan.log}")
    for note in plan.notes:
        say(note)
    say("to remove it: millrace collect --uninstall")
