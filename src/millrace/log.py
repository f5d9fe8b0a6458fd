"""Structured logs: one JSON line per decision, in the fields that Cloud Logging reads.

Fields are counts, ids and names of objects; never rows, keys, e-mail addresses or URLs with a query.
"""

import json
import logging
import sys
from datetime import UTC, datetime

_LOGGER = logging.getLogger("millrace")


def info(message: str, **fields: object) -> None:
    """Note a decision."""
    _LOGGER.info(message, extra={"fields": fields})


def debug(message: str, **fields: object) -> None:
    """Note a step on the way to one."""
    _LOGGER.debug(message, extra={"fields": fields})


def warning(message: str, **fields: object) -> None:
    """Note what is not as it should be, and either comes again or stops nothing."""
    _LOGGER.warning(message, extra={"fields": fields})


def error(message: str, **fields: object) -> None:
    """Note what went wrong and stays wrong."""
    _LOGGER.error(message, extra={"fields": fields})


class JsonLines(logging.Formatter):
    """One JSON object a record."""

    def format(self, record: logging.LogRecord) -> str:
        """Give severity, message, time, then the record's own fields."""
        line: dict[str, object] = {
            "severity": record.levelname,
            "message": record.getMessage(),
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
        }
        line |= getattr(record, "fields", {})
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def start() -> None:
    """Write JSON lines to standard error, unless the process has set up this logger itself."""
    if not _LOGGER.handlers:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(JsonLines())
        _LOGGER.addHandler(handler)
        _LOGGER.setLevel(logging.INFO)
        _LOGGER.propagate = False
