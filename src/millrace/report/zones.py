"""Local days of a time zone, quickly for many instants."""

from datetime import UTC, date, datetime, timedelta, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from millrace import config
from millrace.errors import ConfigError

_HOUR_US = 3_600_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_US, _LAST_US = -62_135_596_800_000_000, 253_402_300_799_999_999
_LOCALTIME = Path("/etc/localtime")
LOCAL = "local"
"""The name for the zone that the machine is set to, where that has no name: the system then converts instants."""


class Zone:
    """A time zone by its IANA name, or the one that the machine is set to."""

    def __init__(self, name: str, info: tzinfo | None) -> None:
        self.name = name
        self._info = info
        self._days: dict[int, date | None] = {}

    @classmethod
    def named(cls, name: str) -> "Zone":
        """Return a zone by its name, or `local`; raise ConfigError when there is none of that name."""
        if name == LOCAL:
            return cls(datetime.now().astimezone().tzname() or LOCAL, None)
        try:
            return cls(name, UTC if name.upper() == "UTC" else ZoneInfo(name))
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ConfigError(f"expected a time zone like Europe/Berlin, UTC or {LOCAL}, got {name!r}") from None

    def local(self, microseconds: int) -> datetime:
        """Return the local time of an instant, in microseconds since 1970."""
        # A log may name the first or the last year: near them a zone has no local time, and a block no end.
        instant = _EPOCH + timedelta(microseconds=min(max(microseconds, _FIRST_US), _LAST_US))
        try:
            return instant.astimezone(self._info)
        except (ValueError, OverflowError, OSError):
            return instant

    def today(self) -> date:
        """Return the present day."""
        return datetime.now(UTC).astimezone(self._info).date()

    def day(self, microseconds: int) -> date:
        """Return the local day of an instant, in microseconds since 1970."""
        hour = microseconds // _HOUR_US
        try:
            day = self._days[hour]
        except KeyError:
            first, last = self.local(hour * _HOUR_US).date(), self.local((hour + 1) * _HOUR_US - 1).date()
            # A zone may be 30 or 45 minutes apart from full hours: midnight is within this hour then.
            day = self._days[hour] = first if first == last else None
        return self.local(microseconds).date() if day is None else day

    def instant(self, microseconds: int) -> str:
        """Return an instant as local time with its offset: 2026-11-30T14:00:00+01:00."""
        return self.local(microseconds).isoformat(timespec="seconds")


def local_zone() -> str:
    """Return the name of the machine's zone: of TZ, else of /etc/localtime; `local` where neither has a name."""
    name = (config.time_zone() or "").removeprefix(":") or _linked()
    try:
        return Zone.named(name).name if name else LOCAL
    except ConfigError:
        return LOCAL


def _linked() -> str:
    try:
        return _LOCALTIME.resolve(strict=True).as_posix().partition("zoneinfo/")[2]
    except OSError:
        return ""
