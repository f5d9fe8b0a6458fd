"""`millrace export`: the published marts as Parquet or CSV files, for other tools."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from millrace.cli import options, output
from millrace.cli.output import DONE

if TYPE_CHECKING:
    from millrace.laptop.export import Exported, Format


@click.command(short_help="Write the marts as Parquet or CSV files.")
@click.option(
    "--to", "folder", type=click.Path(path_type=Path), required=True, metavar="FOLDER", help="The folder to write to."
)
@click.option(
    "--format", "form", type=click.Choice(["parquet", "csv"]), default="parquet", show_default=True, help="The format."
)
@click.option("--mart", "marts", multiple=True, metavar="NAME", help="Only this mart; may be repeated (default: all).")
@click.option("--overwrite", is_flag=True, help="Also into a folder that holds other files; those stay.")
@click.option("--dry-run", is_flag=True, help="Print what would be written, and write nothing.")
@options.data_dir
@options.as_json
def export(
    folder: Path, form: "Format", marts: tuple[str, ...], overwrite: bool, dry_run: bool, data_dir: Path, as_json: bool
) -> int:
    """Write the marts of the last good build to FOLDER, one file each, for pandas, Excel or a BI tool.

    A later export into the same folder replaces its files. Money keeps all its digits: DECIMAL in Parquet.

    \b
    Example: millrace export --to marts --mart usage_daily --mart velocity
    """
    from millrace.laptop import export as exporting
    from millrace.laptop.data_dir import DataDir

    done = exporting.export(DataDir(data_dir.resolve()), folder.resolve(), form, marts, overwrite, dry_run)
    if as_json:
        output.say_json(done.to_json())
        return DONE
    for each in done.files:
        output.say(_line(each))
    for name in done.removed:
        output.say(f"removed {name}, which only the earlier export had")
    output.say(f"build {done.build}, {'would be ' if dry_run else ''}in {done.folder}")
    return DONE


def _line(each: "Exported") -> str:
    if each.bytes is None:
        return f"would write {each.file}: {each.rows:,} rows"
    return f"{each.mart:<22} {each.rows:>12,} rows {each.bytes / 1000:>12,.0f} kB"
