"""The requested build in `build/requested.json`: raised by loads, read by the build job."""

import contextlib
import json
from typing import Any

from millrace import log
from millrace.lake import Lake, ObjectExists, ObjectMissing
from millrace.lake.documents import Damaged, parsed
from millrace.lake.names import RequestedKey

_REQUESTED = str(RequestedKey())


def request(lake: Lake, load_seq: int, run_id: str | None) -> None:
    """Request a build through at least this load sequence; keep a request that goes further."""
    content = json.dumps({"load_seq": load_seq, "run_id": run_id}, indent=1, sort_keys=True).encode() + b"\n"
    while True:
        try:
            held, stored = lake.read(_REQUESTED)
            generation = stored.version.generation
            if (_fields(held) or {"load_seq": -1})["load_seq"] >= load_seq:
                return
        except ObjectMissing:
            generation = 0
        try:
            lake.write(_REQUESTED, content, if_generation=generation)
        except ObjectExists:
            continue
        log.info("build requested", load_seq=load_seq, run_id=run_id)
        return


def restart(lake: Lake, load_seq: int) -> bool:
    """Replace a request that is damaged or beyond `load_seq`, the ledger's newest; return whether it was replaced."""
    with contextlib.suppress(ObjectMissing, ObjectExists):  # a load has just requested a later build
        held, stored = lake.read(_REQUESTED)
        fields = _fields(held)
        if fields is None or fields["load_seq"] > load_seq:
            content = json.dumps({"load_seq": load_seq, "run_id": None}, indent=1, sort_keys=True).encode() + b"\n"
            lake.write(_REQUESTED, content, if_generation=stored.version.generation)
            log.info("build requests restart", load_seq=load_seq)
            return True
    return False


def requested(lake: Lake) -> int | None:
    """Return the load sequence through which a build is requested; None when there is no request."""
    asked = _asked(lake)
    return None if asked is None else int(asked["load_seq"])


def requested_by(lake: Lake) -> str | None:
    """Return the run of the last request; None without a request, or when it was not made for a run."""
    return (_asked(lake) or {}).get("run_id")


def _asked(lake: Lake) -> dict[str, Any] | None:
    try:
        return _fields(lake.read(_REQUESTED)[0])
    except ObjectMissing:
        return None


def _fields(content: bytes) -> dict[str, Any] | None:
    """Return the request; None when it is damaged: the next load requests again."""
    try:
        return parsed(content, _REQUESTED, lambda fields: fields | {"load_seq": int(fields["load_seq"])})
    except Damaged:
        return None
