"""Write the files of a schedule and run its commands; on a failure everything is as it was before."""

import subprocess
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from millrace.collect.schedule import Account, Command, Plan, Schedule
from millrace.errors import ConfigError, MillraceError, TransientError

_TIMEOUT_S = 60
_ELSE = "let another scheduler run the command that --dry-run prints"


def install(plan: Plan) -> None:
    """Write the files and run the commands; an earlier installation is replaced.

    On a failure the files are as before, and ConfigError (a program of the system is missing) or TransientError (it
    failed) has the next step.
    """
    before = installed(plan)
    try:
        for path, content in plan.files.items():
            _write(path, content)
        _run_all(plan.start)
    except (MillraceError, OSError):
        _restore(plan, before)
        raise


def uninstall(plan: Plan) -> list[str]:
    """Stop the schedule and remove what `install` wrote; return what could not be stopped, in one line each."""
    failures = _run_each(plan.stop)
    _remove([*plan.files, *plan.links])
    return failures + _run_each(plan.forget)


def installed(plan: Plan) -> dict[Path, bytes]:
    """Return the files of a plan that exist, whatever they contain."""
    return {path: path.read_bytes() for path in plan.files if path.is_file()}


def check(program: Sequence[str], schedule: Schedule, account: Account) -> None:
    """Raise ConfigError unless the program of a schedule starts in another folder, with the schedule's variables."""
    ours = {name: value for name, value in account.variables.items() if not name.startswith("PYTHON")}
    words = [*program, "--version"]
    try:
        done = subprocess.run(  # noqa: S603 no shell
            words,
            cwd=account.home,
            env=ours | dict(schedule.environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ConfigError(f"{Command(tuple(words)).text} does not start: {error}") from error
    if done.returncode != 0:
        raise ConfigError(
            f"{Command(tuple(words)).text} does not start outside of this folder: {_last_line(done.stderr)}; "
            "install this checkout (pip install .), then run this again"
        )


def _run_all(commands: Iterable[Command]) -> None:
    for command in commands:
        try:
            _run(command)
        except MillraceError:
            if not command.may_fail:
                raise


def _run_each(commands: Iterable[Command]) -> list[str]:
    failures = []
    for command in commands:
        try:
            _run(command)
        except MillraceError as error:
            failures += [str(error)] * (not command.may_fail)
    return failures


def _run(command: Command) -> None:
    try:
        done = subprocess.run(  # noqa: S603 no shell
            command.words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
        )
    except FileNotFoundError:
        raise ConfigError(f"{command.words[0]} is not on this machine; {_ELSE}") from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise TransientError(f"{command.text} failed: {error}; run this again, or {_ELSE}") from error
    if done.returncode != 0:
        why = _last_line(done.stderr) or _last_line(done.stdout) or f"exit code {done.returncode}"
        raise TransientError(f"{command.text} failed: {why}; mend that and run this again, or {_ELSE}")


def _restore(plan: Plan, before: Mapping[Path, bytes]) -> None:
    if not before:
        _run_each(plan.stop)
    _remove([path for path in plan.files if path not in before] + ([] if before else list(plan.links)))
    for path, content in before.items():
        with suppress(OSError):
            _write(path, content)
    _run_each(plan.start if before else plan.forget)


def _write(path: Path, content: bytes) -> None:
    """Replace a file as a whole; only its owner may read it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.new")
    try:
        new.write_bytes(content)
        new.chmod(0o600)
        new.replace(path)
    except OSError:
        _remove([new])
        raise


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        with suppress(OSError):
            path.unlink(missing_ok=True)


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or [""])[-1]
