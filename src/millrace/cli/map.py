"""`millrace map`: which project belongs to which repository, and which user is which developer."""

from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from millrace.cli import options, output
from millrace.cli.output import ATTENTION, DONE

if TYPE_CHECKING:
    from millrace.laptop.data_dir import DataDir
    from millrace.laptop.mapping import Effect
    from millrace.status.maps import Change, MapKind


@click.group(name="map", short_help="Name the repository of a project, the developer of a user.")
def map_() -> None:
    """Name the repository of a project, and the developer of a user: no log contains them.

    \b
    Example: millrace map project code-shop acme/shop
    """


def _changing(command: options.F) -> options.F:
    for option in reversed(
        (
            click.option("--remove", is_flag=True, help="Take back what was mapped before."),
            click.option("--force", is_flag=True, help="Write a name that is not known here all the same."),
            options.writing_a_row,
        )
    ):
        command = option(command)
    return command


@map_.command(short_help="Name the repository of a project.")
@click.argument("project")
@click.argument("repository", metavar="OWNER/NAME", required=False)
@_changing
def project(project: str, repository: str | None, **asked: Any) -> int:
    """Map a project to its repository; `*` in PROJECT stands for any text, and letter case does not matter.

    An exact name comes before one with `*`. The row is a file in drop/project_repositories.

    \b
    Example: millrace map project "code-shop*" acme/shop
    """
    from millrace.status.maps import PROJECTS

    return _change(PROJECTS, project, repository, "OWNER/NAME", **asked)


@map_.command(short_help="Name the developer of a user.")
@click.argument("user")
@click.argument("developer", required=False)
@_changing
def user(user: str, developer: str | None, **asked: Any) -> int:
    """Map a user of coding agents to a developer of the pull requests.

    The row is a file in drop/user_developers.

    \b
    Example: millrace map user ada@example.com ada
    """
    from millrace.status.maps import USERS

    return _change(USERS, user, developer, "DEVELOPER", **asked)


@map_.command(name="list", short_help="List what is mapped, and by what.")
@options.data_dir
@options.as_json
def list_(data_dir: Path, as_json: bool) -> int:
    """List the rows of both maps, and what each matches in the usage.

    \b
    Example: millrace map list
    """
    from millrace.laptop import typed_rows
    from millrace.laptop.data_dir import DataDir
    from millrace.status import maps

    directory = DataDir(data_dir.resolve())
    typed_rows.require_built(directory)
    query = partial(typed_rows.query, directory)
    found = []
    for kind in (maps.PROJECTS, maps.USERS):
        used = maps.used(query, kind)
        for row in maps.rows(query, kind):
            of_row = [each for each in used if row.matches(kind, each.name)]
            matched = [each for each in of_row if (each.value or "").lower() == row.value.lower()]
            found.append((kind, row, sorted({each.name for each in matched}), maps.total(matched)))
    if as_json:
        rows = [
            {"map": kind.noun, "key": row.key, kind.value_noun: row.value, "origin": row.origin, "matched": names}
            | asdict(amount)
            for kind, row, names, amount in found
        ]
        output.say_json({"rows": rows})
        return DONE
    for kind, row, names, amount in found:
        origin = "" if row.origin == "file" else f" (seed {kind.seed}.csv)"
        said = f"{amount} in {len(names)} {kind.noun}{'s' * (len(names) != 1)}" if names else "matches no usage"
        output.say(f"{kind.noun} {row.key} → {row.value}{origin}: {said}")
    if not found:
        output.say("nothing is mapped by a row; users whose address is that of a pull request's author need none")
    return DONE


def lake_of(data_dir: Path | None, lake: str | None) -> str | None:
    """Return the lake that a row is for; None where it is for a data directory. UsageError when both are given."""
    from millrace.config import CollectConfig

    if lake and data_dir:
        raise click.UsageError("expected --lake or --data-dir, got both")
    return lake or (None if data_dir else CollectConfig.from_env().lake)


def directory_of(data_dir: Path | None) -> "DataDir":
    """Return the named data directory, or the one that the doctor reads."""
    from millrace.laptop import places
    from millrace.laptop.data_dir import DataDir

    if data_dir is None and (root := places.shown()) == places.demo():
        click.echo(f"{places.named(root)}: the simulated company; {places.named(places.real())} has no rows", err=True)
    return DataDir((data_dir or places.shown()).resolve())


def _change(
    kind: "MapKind",
    key: str,
    value: str | None,
    metavar: str,
    *,
    remove: bool,
    force: bool,
    no_build: bool,
    dry_run: bool,
    data_dir: Path | None,
    lake: str | None,
    as_json: bool,
) -> int:
    """Map one name, in a data directory or a lake, and print what it did."""
    if remove == (value is not None):
        raise click.UsageError(f"expected {metavar} or --remove, got {'both' if remove else 'neither'}")
    url = lake_of(data_dir, lake)
    if url:
        return _to_lake(kind, key, value, url, dry_run, as_json)
    from millrace.laptop import mapping

    directory = directory_of(data_dir)
    change = mapping.plan(directory, kind, key, value, force=force)
    if dry_run:
        return _show_plan(change, as_json)
    return _show(change, mapping.apply(directory, change, is_built=not no_build), directory.root, as_json)


def _to_lake(kind: "MapKind", key: str, value: str | None, url: str, dry_run: bool, as_json: bool) -> int:
    """Write the row into a deployment's lake; what is known there is not known here."""
    from datetime import UTC, datetime

    from millrace import wiring
    from millrace.lake import rows
    from millrace.status import maps

    key, value = maps.check_words(kind, key, value)
    change = maps.Change(kind, key, value)
    where = f"{url.rstrip('/')}/drop/{kind.table}/"
    file = None
    if not dry_run:
        file = rows.drop(wiring.lake_at(url), kind.table, [change.row], datetime.now(UTC)).version.name
        where = f"{url.rstrip('/')}/{file}"
    if as_json:
        output.say_json(_fields(change) | {"state": "planned" if dry_run else "written", "file": file})
    elif dry_run:
        output.say(f"{change.text}: would be written to {where}")
    else:
        output.say(f"{change.text}: written to {where}; it is loaded and built there, and was not compared with usage")
    return DONE


def _show_plan(change: "Change", as_json: bool) -> int:
    from millrace.status.maps import total

    amount = total(change.matched)
    if as_json:
        output.say_json(_fields(change) | {"state": "planned", "warnings": change.warnings} | asdict(amount))
        return DONE
    for warning in change.warnings:
        output.say(f"look: {warning}")
    names = ", ".join(each.name for each in change.matched)
    output.say(f"{change.text}: would be for {amount}{f' ({names})' if names else ''}; nothing was written")
    return DONE


def _show(change: "Change", effect: "Effect", root: Path, as_json: bool) -> int:
    from millrace.errors import Step
    from millrace.status import remedies

    code = ATTENTION if effect.state == "failed" or effect.is_disputed else DONE
    if as_json:
        bad = [asdict(node) for node in effect.bad_nodes]
        said = {"state": effect.state, "warnings": effect.warnings, "not_good": bad}
        output.say_json(_fields(change) | said | asdict(effect.got))
        return code
    for warning in effect.warnings:
        output.say(f"look: {warning}")
    for node in effect.bad_nodes:
        output.say(f"look: {node.name}: {node.message}")
    if effect.state == "loaded":
        build = remedies.remedy(Step.BUILD, remedies.laptop(root))
        output.say(f"{change.text}: loaded; the marts do not have it yet; {build}")
    elif effect.state == "failed":
        output.say(f"{change.text}: loaded, but the build failed")
    else:
        has = "has" if effect.got.responses == 1 else "have"
        now = f"now {has} {_article(change)}{change.kind.value_noun}"
        output.say(f"{change.text}: {effect.got} {now}" if change.matched else f"{change.text}: for usage to come")
    return code


def _article(change: "Change") -> str:
    return "a " if change.value else "no "


def _fields(change: "Change") -> dict[str, Any]:
    matched = [each.name for each in change.matched]
    return {"map": change.kind.noun, "key": change.key, change.kind.value_noun: change.value, "matched": matched}
