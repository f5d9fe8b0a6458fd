"""Run `millrace` from a checkout: `run` is the default verb, and all data is kept in this checkout's `data`.

Without a source, `run` is `millrace demo`, in `data/demo`.

Exit codes: 0 everything reconciled and every dbt test passed · 1 something needs attention · 2 usage or settings ·
3 the source or the machine failed: run it again · 130 interrupted.
"""

import copy
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from millrace import config
from millrace.cli import main as cli, options, output, run as run_verb
from millrace.cli.output import ATTENTION, DONE
from millrace.errors import ConfigError
from millrace.laptop.project import PROJECT

_VERBS = ("run", "status", "reconcile", "build", "rebuild", "quarantine")


def _use_emulators(context: click.Context, _: click.Parameter, value: bool) -> None:
    if not value:
        return
    try:
        from emulators.pipeline import Emulators
    except ImportError as error:
        raise ConfigError(f"--emulators: {error}; `make test-emulators` installs what it needs") from error
    context.meta[run_verb.ENGINE] = Emulators()


def _with_emulators() -> click.Command:
    """Return the verb `run` with the option that only a checkout has."""
    run = copy.copy(run_verb.run)
    help_text = "Run as deployed: each function a process, over Google's clients, against emulators of its services."
    option = click.Option(["--emulators"], is_flag=True, expose_value=False, callback=_use_emulators, help=help_text)
    run.params = [*run.params, option]
    run.epilog = f"\b\n{run.epilog}\nOther verbs: {', '.join(_VERBS[1:])}."
    return run


@click.command("status")
@options.data_dir
@options.as_json
def _status(data_dir: Path, as_json: bool) -> int:
    """Show what `millrace status` shows; exit code 1 when anything needs a person, else 0."""
    from millrace.laptop import status
    from millrace.laptop.data_dir import DataDir

    now = status.status_of(DataDir(data_dir.resolve()))
    status.show(now, output.say, is_json=as_json)
    return ATTENTION if now.is_empty or now.needs_attention else DONE


def _tree() -> click.Group:
    tree = click.Group("run_all", help=__doc__, context_settings=cli.tree.context_settings, epilog=cli.tree.epilog)
    tree.add_command(_with_emulators())
    tree.add_command(_status)
    for verb in ("reconcile", "build", "rebuild", "quarantine"):
        tree.add_command(cli.tree.commands[verb])
    return tree


def _ordered(arguments: Sequence[str], tree: click.Group) -> list[str]:
    """Return the arguments with the verb first, as click requires.

    Until version 0.2 every verb took every option, in any order: an option that a verb does not have is left out, and
    reported in a line.
    """
    takes_value = {
        name: not (option.is_flag or option.count)
        for command in _leaves(tree)
        for option in command.params
        if isinstance(option, click.Option)
        for name in (*option.opts, *option.secondary_opts)
    }
    given: list[list[str]] = []
    words: list[str] = []
    waiting = list(arguments)
    while waiting:
        word = waiting.pop(0)
        if not word.startswith("-") or word == "-":
            words.append(word)
            continue
        has_value = takes_value.get(word, False) and waiting
        given.append([word, waiting.pop(0)] if has_value else [word])
    verb = words.pop(0) if words and words[0] in _VERBS else "run"
    path = [verb]
    if verb == "quarantine":
        path.append(words.pop(0) if words else "list")
    command = _command(tree, path)
    known = {name for option in command.params for name in (*option.opts, *option.secondary_opts)} | {"-h", "--help"}
    kept = []
    for option in given:
        name = option[0].partition("=")[0]
        if name in known or name not in takes_value:
            kept += option
        elif name != "--next":  # of the Makefile, which has one line for all verbs
            print(f"{name} has no effect on {' '.join(path)}", file=sys.stderr)  # noqa: T201 the command's answer
    return [*path, *kept, *(["--", *words] if words else [])]


def _leaves(command: click.Command) -> list[click.Command]:
    if isinstance(command, click.Group):
        return [leaf for each in command.commands.values() for leaf in _leaves(each)]
    return [command]


def _command(command: click.Command, path: list[str]) -> click.Command:
    """Return the command at a path, as far as there is one."""
    if not path or not isinstance(command, click.Group) or path[0] not in command.commands:
        return command
    return _command(command.commands[path[0]], path[1:])


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line, and return the exit code."""
    tree = _tree()
    if config.data_dir() is None:
        config.use({"MILLRACE_DATA_DIR": str(PROJECT / "data")})
    return cli.main(_ordered(sys.argv[1:] if arguments is None else arguments, tree), tree, "local/run_all.py")


if __name__ == "__main__":
    sys.exit(main())
