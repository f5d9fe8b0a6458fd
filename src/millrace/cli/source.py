"""`millrace source test`: who asks, what may be seen, and what a first load costs."""

from typing import Any

import click

from millrace.cli import options, output, sources
from millrace.cli.output import ATTENTION, DONE


@click.group(short_help="Look at a source before it is read.")
def source() -> None:
    """Look at a source before it is read."""


@source.command(short_help="Say who asks, what may be seen, and what a first load costs.")
@options.account
@options.server
@options.as_json
@click.pass_context
def test(
    context: click.Context,
    /,
    source_name: str | None,
    account: str | None,
    repository: str | None,
    as_json: bool,
    **server: Any,
) -> int:
    """Ask a source for little, and write nothing: who asks, what may be seen, and what a first load costs.

    \b
    Example: millrace source test --source github --account acme
    """
    if source_name != "github" and not server["source_url"]:
        raise click.UsageError("expected --source github --account LOGIN, or --source-url of a cursor-sim")
    asked = sources.source_of(context, source_name, account, repository, None, **server)
    from millrace.laptop.looking import look
    from millrace.laptop.progress import ProgressLog

    with ProgressLog():
        found = look(asked)
    if as_json:
        output.say_json(found.to_json())
    else:
        for each in found.findings:
            output.say(str(each))
        if found.is_good:
            output.say_next(f"millrace run {sources.words(asked)}")
    return DONE if found.is_good else ATTENTION
