"""`millrace serve`: the page and the read API of a data directory, for this machine alone."""

from pathlib import Path

import click

from millrace.cli import options, output
from millrace.cli.output import DONE


@click.command(short_help="Show the marts as a page, and answer the read API.")
@options.data_dir
@options.page
def serve(data_dir: Path, port: int, opens: bool) -> int:
    """Serve the marts as a page, and the read API, to this machine only.

    Your own data are shown once there are any, until then the demo. The page is at /, the routes are below /api
    (openapi.json lists them). It works during a run.

    \b
    Example: millrace serve --port 8000
    """
    from millrace.laptop import server
    from millrace.laptop.data_dir import DataDir

    server.serve(DataDir(data_dir.resolve()), port, output.say, opens)
    return DONE
