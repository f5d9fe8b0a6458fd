"""The loads of retries from quarantine, which the ledger has under the names of the retries' drops."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from millrace.lake import names
from millrace.warehouse import LedgerEntry


def by_id(rows: Iterable[LedgerEntry]) -> dict[str, list[LedgerEntry]]:
    """Return the ledger rows of retries by the quarantine id of the object that they retry, in their order."""
    found: dict[str, list[LedgerEntry]] = {}
    for row in rows:
        if entry_id := names.retried_id(row.version.name):
            found.setdefault(entry_id, []).append(row)
    return found


def loaded(first: LedgerEntry | None, retries: Iterable[LedgerEntry]) -> LedgerEntry | None:
    """Return the first retry that loaded the bytes of a quarantined object, whose ledger row is `first`."""
    same = {None, first.crc32c} if first and first.crc32c else None
    return next((row for row in retries if row.quarantine_reason is None and (not same or row.crc32c in same)), None)


def settled(entries: Sequence[LedgerEntry], quarantined: Sequence[LedgerEntry]) -> list[LedgerEntry]:
    """Return the entries, each quarantined one replaced by that of the retry that loaded it, if any.

    `quarantined` is from `Ledger.entries`. An object of a copied lake is recognised by its name and checksum.
    """
    retries, loads = by_id(quarantined), {}
    for row in quarantined:
        entry_id = names.quarantine_name(row.version).removeprefix("quarantine/")
        if row.quarantine_reason is not None and (load := loaded(row, retries.get(entry_id, []))):
            loads[row.version.name, row.crc32c or row.version] = load
    found = [(entry, loads.get((entry.version.name, entry.crc32c or entry.version))) for entry in entries]
    return [
        replace(load, version=entry.version, run_id=entry.run_id) if load and entry.quarantine_reason else entry
        for entry, load in found
    ]
