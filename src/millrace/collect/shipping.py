"""Sending the collector's files to the lake: each file once, in order, whenever the lake can be reached."""

import re
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from millrace import log
from millrace.collect.outbox import files
from millrace.errors import MillraceError
from millrace.lake import LakeWriter, ObjectExists, StoredObject
from millrace.lake.names import DroppedFile

TABLE = "usage_events"
_PLAIN = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class UploadResult:
    """The objects that were sent, the files that wait for the next attempt, and the error that stopped sending."""

    sent: tuple[StoredObject, ...]
    waiting: tuple[Path, ...]
    error: str | None


def ship(spool: Path, lake: LakeWriter, collector_id: str) -> UploadResult:
    """Send the files of the spool, the oldest first; each is deleted once the lake has it.

    A file goes to the folder of the collector that wrote it, which is not always this one: the state that wrote it may
    be lost, or the machine may have been renamed. A collector may only create objects. An object's name contains the
    hash of its content, so an existing object is the same one, and is not read for comparison. At the first error the
    rest waits, and nothing is raised.
    """
    waiting = files(spool)
    sent: list[StoredObject] = []
    for place, file in enumerate(waiting):
        name = str(DroppedFile(TABLE, f"{_writer(file) or collector_id}/{file.name}", "parquet"))
        try:
            sent += _send(file, lake, name)
        except (MillraceError, OSError) as error:
            log.warning("not sent", object=name, waiting=len(waiting) - place, error=str(error))
            return UploadResult(tuple(sent), tuple(waiting[place:]), str(error))
        file.unlink()
    return UploadResult(tuple(sent), (), None)


def _writer(file: Path) -> str | None:
    """Return the collector whose rows a file has; None if no collector wrote it, which the load reports."""
    try:
        rows = pq.read_table(file, columns=["collector_id"])
    except (OSError, pa.ArrowException):
        return None
    ids = {str(one) for one in pc.unique(rows["collector_id"]).to_pylist()}
    return ids.pop() if len(ids) == 1 and _PLAIN.fullmatch(next(iter(ids))) else None


def _send(file: Path, lake: LakeWriter, name: str) -> list[StoredObject]:
    """Send a file, and return the object that was created; none when it existed already."""
    try:
        stored = lake.write(name, file, if_generation=0)
    except ObjectExists:
        log.info("sent before", object=name)
        return []
    log.info("sent", object=name)
    return [stored]
