"""What the collector has put by, sent to the lake: each file once, in order, whenever the lake can be reached."""

from dataclasses import dataclass
from pathlib import Path

from millrace import log
from millrace.collect.outbox import files
from millrace.errors import MillraceError
from millrace.lake import LakeWriter, ObjectExists, StoredObject
from millrace.lake.names import DroppedFile

TABLE = "usage_events"


@dataclass(frozen=True, slots=True)
class Shipment:
    """What was sent and is in the lake now, and what waits for the next time, with the reason."""

    sent: tuple[StoredObject, ...]
    waiting: tuple[Path, ...]
    error: str | None


def ship(spool: Path, lake: LakeWriter, collector_id: str) -> Shipment:
    """Send the files of the spool, the oldest first; one is deleted once the lake has it.

    A collector may only create objects. As an object's name has the hash of its content, one that exists already is
    this one, and is not read to be compared. At the first error the rest waits, and nothing is raised.
    """
    waiting = files(spool)
    sent: list[StoredObject] = []
    for place, file in enumerate(waiting):
        name = str(DroppedFile(TABLE, f"{collector_id}/{file.name}", "parquet"))
        try:
            sent += _send(file, lake, name)
        except (MillraceError, OSError) as error:
            log.warning("not sent", object=name, waiting=len(waiting) - place, error=str(error))
            return Shipment(tuple(sent), tuple(waiting[place:]), str(error))
        file.unlink()
    return Shipment(tuple(sent), (), None)


def _send(file: Path, lake: LakeWriter, name: str) -> list[StoredObject]:
    """Give the object that was made; none when it was there already."""
    try:
        stored = lake.write(name, file, if_generation=0)
    except ObjectExists:
        log.info("sent before", object=name)
        return []
    log.info("sent", object=name)
    return [stored]
