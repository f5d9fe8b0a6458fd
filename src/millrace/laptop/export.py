"""The published marts as files, for tools that read Parquet or CSV: all of one build."""

import csv
import json
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

import duckdb

from millrace.errors import ConfigError, Step, TransientError, first_line
from millrace.laptop.data_dir import DataDir
from millrace.terminal import harmless_cell
from millrace.warehouse.duckdb import builds
from millrace.warehouse.duckdb.read_only import open_read_only

Format = Literal["parquet", "csv"]
FORMATS: tuple[Format, ...] = ("parquet", "csv")
SCHEMA = "millrace/export/1"

_NOTE = "export.json"
_OURS = re.compile(r"[a-z0-9_]+\.(parquet|csv)")
_ASIDE = ".aside"
_BATCH = 10_000
_MARTS = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'mart' ORDER BY table_name"


@dataclass(frozen=True, slots=True)
class Exported:
    """One mart and its file; `bytes` is None where nothing was written."""

    mart: str
    file: str
    rows: int
    bytes: int | None


@dataclass(frozen=True, slots=True)
class Export:
    """The files of one build in a folder. `removed` are files that only an earlier export had."""

    folder: Path
    build: int
    built_through: int
    as_of: str | None
    files: tuple[Exported, ...]
    removed: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the export for JSON, and for the note in its folder."""
        return {"schema": SCHEMA} | asdict(self) | {"folder": str(self.folder)}


def export(
    data_dir: DataDir, folder: Path, form: Format, marts: Sequence[str], is_overwriting: bool, is_dry: bool
) -> Export:
    """Write the named marts (none named: all), and return what was written.

    Files are renamed into the folder when all are complete. Raises ConfigError when the folder holds files of somebody
    else, unless `is_overwriting`; of the same name, those are replaced, and the others stay.
    """
    earlier = _earlier(folder, is_overwriting)
    if not data_dir.published.exists():
        raise ConfigError(f"nothing was built in {data_dir.root} yet", step=Step.BEGIN)
    with open_read_only(data_dir.published, "published") as published:
        connection = published.connection
        chosen = _chosen([name for (name,) in connection.execute(_MARTS).fetchall()], marts)
        build = builds.last(connection, 1)[0]
        counts = {mart: _count(connection, mart) for mart in chosen}
        paths = {mart: folder / f"{mart}.{form}" for mart in chosen}
        removed = () if is_dry else tuple(sorted(earlier - {path.name for path in paths.values()}))
        files = tuple(Exported(mart, paths[mart].name, rows, None) for mart, rows in counts.items())
        as_of = build.as_of.isoformat() if build.as_of else None
        planned = Export(folder, build.number, build.built_through, as_of, files, removed)
        if is_dry:
            return planned
        with _aside(folder, list(paths.values())) as aside:
            for mart, path in paths.items():
                _write(connection, mart, aside[path], form)
                _to_disk(aside[path])
            sizes = {mart: aside[path].stat().st_size for mart, path in paths.items()}
    written = tuple(Exported(each.mart, each.file, each.rows, sizes[each.mart]) for each in files)
    done = Export(folder, build.number, build.built_through, as_of, written, removed)
    for name in removed:
        (folder / name).unlink(missing_ok=True)
    (folder / _NOTE).write_text(json.dumps(done.to_json(), indent=1) + "\n")
    return done


def _earlier(folder: Path, is_overwriting: bool) -> set[str]:
    """Return the files of an earlier export; ConfigError when the folder holds something else."""
    if not folder.exists():
        return set()
    if not folder.is_dir():
        raise ConfigError(f"--to: expected a folder, got the file {folder}")
    present = {path.name for path in folder.iterdir() if not path.name.endswith(_ASIDE)}
    try:
        note = json.loads((folder / _NOTE).read_bytes()) if _NOTE in present else None
    except ValueError:
        note = None
    if isinstance(note, dict) and note.get("schema") == SCHEMA and isinstance(note.get("files"), list):
        names = [each.get("file") for each in note["files"] if isinstance(each, dict)]
        return {name for name in names if isinstance(name, str) and _OURS.fullmatch(name)} & present
    if present and not is_overwriting:
        said = f"{folder} holds files that are not of an export"
        raise ConfigError(f"{said}; name another folder, or add --overwrite")
    return set()


def _chosen(existing: list[str], asked: Sequence[str]) -> list[str]:
    """Return the marts to write; ConfigError for an unknown name."""
    for name in asked:
        if name not in existing:
            near = get_close_matches(name, existing, 1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(existing)}"
            raise ConfigError(f"no mart {name!r}; {hint}")
    return sorted(set(asked)) if asked else existing


def _count(connection: duckdb.DuckDBPyConnection, mart: str) -> int:
    return int(connection.execute(f"SELECT count(*) FROM {_quoted(mart)}").fetchall()[0][0])  # noqa: S608 quoted


def _quoted(mart: str) -> str:
    return 'mart."{}"'.format(mart.replace('"', '""'))


@contextmanager
def _aside(folder: Path, paths: Sequence[Path]) -> Iterator[dict[Path, Path]]:
    """Yield a path beside each one, and rename them all when the block is done; after an error, nothing of it stays."""
    aside = {path: path.with_name(f".{path.name}{_ASIDE}") for path in paths}
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield aside
        for path, written in aside.items():
            written.replace(path)
    finally:
        for written in aside.values():
            written.unlink(missing_ok=True)


def _write(connection: duckdb.DuckDBPyConnection, mart: str, to: Path, form: Format) -> None:
    query = f"SELECT * FROM {_quoted(mart)} ORDER BY ALL"  # noqa: S608 quoted
    if form == "csv":
        _write_csv(connection, query, to)
        return
    path = str(to).replace("'", "''")
    try:
        connection.execute(f"COPY ({query}) TO '{path}' (FORMAT parquet, COMPRESSION zstd)")
    except duckdb.Error as error:
        raise TransientError(f"{to.parent}: {first_line(error)}", step=Step.TRY_AGAIN) from error


def _write_csv(connection: duckdb.DuckDBPyConnection, query: str, to: Path) -> None:
    with closing(connection.cursor()) as cursor, to.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        cursor.execute(query)
        writer.writerow(column[0] for column in cursor.description or ())
        while rows := cursor.fetchmany(_BATCH):
            writer.writerows(map(_cells, rows))


def _cells(row: tuple[object, ...]) -> list[object]:
    return [harmless_cell(value) if isinstance(value, str) else value for value in row]


def _to_disk(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
