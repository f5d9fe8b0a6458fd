"""Open the warehouse's file, which one process holds at a time, and report the holder."""

import re
from collections.abc import Callable
from pathlib import Path

import duckdb

from millrace import log
from millrace.errors import ConfigError, Step, TransientError, first_line, says_damage

AT_THE_START_S = 0.5  # a read-only process closes the file within a moment (see read_only.py)
_LOCKED = re.compile(r"lock is held in (?P<program>.*) \(PID (?P<pid>\d+)\)")
_TRY_AGAIN_S = 0.1


def connect(path: Path, patience_s: float, sleep: Callable[[float], None]) -> duckdb.DuckDBPyConnection:
    """Open the file for writing; wait while another process holds it. Raises DuckDB's last error."""
    waited_s = 0.0
    while True:
        try:
            return duckdb.connect(str(path))
        except duckdb.IOException as error:
            if _LOCKED.search(str(error)) is None or waited_s >= patience_s:
                raise
            if waited_s == AT_THE_START_S:
                log.warning("waiting for the warehouse", why=_who(path, error), at_most_s=patience_s)
        sleep(_TRY_AGAIN_S)
        waited_s = round(waited_s + _TRY_AGAIN_S, 1)


def refused(path: Path, error: Exception, is_begun: bool) -> ConfigError | TransientError:
    """Return why the file cannot be opened; its holder will close it, so work that was begun can be retried."""
    if _LOCKED.search(str(error)) is None:
        return ConfigError(f"the warehouse {path} cannot be opened: {first_line(error)}", step=Step.RESTORE)
    said = f"{_who(path, error)}: wait for it to end, or stop it"
    return TransientError(f"{said}; then run again") if is_begun else ConfigError(said)


def is_damage(path: Path, error: Exception) -> bool:
    """Return whether an error means that the warehouse's file is truncated or corrupt."""
    text = str(error)  # of a Parquet file, DuckDB says too that it cannot read enough bytes
    return says_damage(text) and ("enough bytes" not in text.lower() or f'"{path}"' in text)


def failed(path: Path, error: Exception) -> ConfigError | TransientError:
    """Return why a transaction failed: another attempt may succeed, unless the file is damaged."""
    if is_damage(path, error):
        return ConfigError(f"the warehouse {path} is damaged: {first_line(error)}", step=Step.RESTORE)
    return TransientError(f"{path}: {first_line(error)}")


def _who(path: Path, error: Exception) -> str:
    locked = _LOCKED.search(str(error))
    program, pid = (Path(locked["program"]).name, locked["pid"]) if locked else ("unknown", "unknown")
    return f"the warehouse {path} is in use by process {pid} ({program})"
