"""The outcome of each dropped file."""

from dataclasses import dataclass
from pathlib import Path

from millrace.lake import ObjectVersion
from millrace.lake.local import is_name
from millrace.lake.names import KINDS
from millrace.laptop.in_process import Pipeline
from millrace.load import quarantine
from millrace.warehouse import LedgerEntry


@dataclass(frozen=True, slots=True)
class Drop:
    """The outcome of one dropped file: applied, no change, quarantined, or not loaded."""

    file: str
    outcome: str
    detail: str
    is_good: bool


def unnameable(folder: Path) -> list[Drop]:
    """Return what cannot be an object: links, names that are hidden or not UTF-8, pipes, folders named as files."""
    found = []
    for path in folder.rglob("*"):
        name = repr(str(path.relative_to(folder.parent)))
        if path.is_symlink():
            found.append(Drop(name, "not loaded", "it is a link: copy the file", is_good=False))
        elif path.is_file() and any(not is_name(part) for part in path.relative_to(folder).parts):
            found.append(Drop(name, "not loaded", "its name is hidden or not UTF-8: give it another", is_good=False))
        elif path.is_dir() and path.suffix.lower() in KINDS:
            found.append(
                Drop(name, "not loaded", "it is a folder named as a file: only the files in it are", is_good=False)
            )
        elif not (path.is_file() or path.is_dir()):
            found.append(Drop(name, "not loaded", "it is a pipe, a socket or a device: copy a file", is_good=False))
    return found


def outcomes(pipeline: Pipeline, versions: list[ObjectVersion]) -> list[Drop]:
    """Return the outcome of each file."""
    known = pipeline.warehouse.find_all(versions)
    return [_drop(pipeline, version, known.get(version)) for version in versions]


def _drop(pipeline: Pipeline, version: ObjectVersion, entry: LedgerEntry | None) -> Drop:
    if entry is None:
        return Drop(version.name, "not loaded", "run again", is_good=False)
    if entry.quarantine_reason is not None:
        why = quarantine.message(pipeline.quarantine, entry)
        return Drop(version.name, "quarantined", f"because {why}", is_good=False)
    if entry.rows_inserted + entry.rows_updated == 0:
        return Drop(version.name, "no change", f"{entry.rows_read:,} rows, all of them known", is_good=True)
    counts = f"{entry.rows_inserted:,} rows inserted, {entry.rows_updated:,} updated of {entry.rows_read:,}"
    return Drop(version.name, "applied", counts, is_good=True)
