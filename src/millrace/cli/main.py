"""The command `millrace`: its subcommands, its exit codes, and its error messages.

Exit codes: 0 done · 1 needs attention · 2 usage or settings · 3 failed, run it again · 130 interrupted.
"""

import signal
from collections.abc import Sequence
from pathlib import Path

import click

from millrace import interrupts
from millrace.cli import (
    build,
    collect,
    demo,
    doctor,
    export,
    map,
    options,
    output,
    overview,
    prices,
    quarantine,
    rebuild,
    reconcile,
    report,
    run,
    serve,
    source,
    status,
    statusline,
    usage,
)
from millrace.cli.output import FAILED, INTERRUPTED, USAGE
from millrace.errors import ConfigError, MillraceError, Step, first_line, is_of_the_machine

_CODES = "Exit codes: 0 done · 1 needs attention · 2 usage or settings · 3 failed, run it again · 130 interrupted."
_COMPLETION = 'Shell completion: eval "$(_MILLRACE_COMPLETE=bash_source millrace)" (or zsh_source, fish_source).'


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=f"\b\n{_CODES}\n{_COMPLETION}",
    invoke_without_command=True,
)
@click.version_option(package_name="millrace-elt", message="millrace %(version)s")
@click.pass_context
def tree(context: click.Context, /) -> int | None:
    """The numbers that tell a company what AI-assisted development does and costs.

    Without a command: the status in five lines, and the next command. -q and -v go before a command or after it.

    \b
    Example: millrace demo && millrace serve
    """
    return overview.show() if context.invoked_subcommand is None else None


for _command in (
    demo.demo,
    run.run,
    collect.collect,
    report.report,
    statusline.statusline,
    status.status,
    reconcile.reconcile,
    build.build,
    rebuild.rebuild,
    quarantine.quarantine,
    doctor.doctor,
    export.export,
    map.map_,
    prices.prices,
    source.source,
    serve.serve,
    usage.usage,
    status.etl,
):
    tree.add_command(_command)
    if not isinstance(_command, click.Group):
        _command.epilog = _CODES
options.volumes(tree)


def main(arguments: Sequence[str] | None = None, command: click.Command = tree, name: str = "millrace") -> int:
    """Run a command line, and return the exit code."""
    with output.streams():
        return _main(arguments, command, name)


def _main(arguments: Sequence[str] | None, command: click.Command, name: str) -> int:
    asked: dict[str, Path] = {}
    words = None if arguments is None else list(arguments)
    try:
        with interrupts.raising(signal.SIGINT):
            code = command.main(words, prog_name=name, standalone_mode=False, obj=asked)
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.ClickException as error:
        return output.refuse(error)
    except ImportError as error:
        missing = ConfigError(f"this installation can only send ({error})", step=Step.INSTALL)
        return output.fail(USAGE, _advised(missing, asked))
    except ConfigError as error:
        return output.fail(USAGE, _advised(error, asked))
    except (MillraceError, OSError) as error:
        return output.fail(FAILED, _advised(error, asked))
    except (KeyboardInterrupt, click.Abort):  # before RuntimeError, the base class of Abort
        return output.fail(INTERRUPTED, "interrupted; run it again to go on")
    except (MemoryError, RuntimeError) as error:
        if not is_of_the_machine(error):
            raise
        return output.fail(FAILED, f"the machine failed: {first_line(error)}; free some of that, then run again")
    return code if isinstance(code, int) else 0


def _advised(error: Exception, asked: dict[str, Path]) -> str:
    """Return the error's message, with the next step on a laptop."""
    from millrace.status import remedies

    return remedies.with_remedy(error, remedies.laptop(asked.get(options.DATA_DIR)))
