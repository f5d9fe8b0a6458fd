"""The settings of each deployable (docs/settings.md), read once; a required one that is missing is a ConfigError."""

import os
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Self

from millrace import addresses
from millrace.errors import ConfigError
from millrace.sources import SOURCES, Source

_ON = ("", "on", "1", "true", "t", "yes", "y", "enable", "enabled")
_OFF = ("off", "0", "false", "f", "no", "n", "none", "never", "disable", "disabled")
_HASH_KEY_LENGTH = 16
_LEASE_S = 60.0  # without a renewal; then another builder takes over the lease
_QUIET_S = 30.0  # that a build on Cloud Run waits for more loads: several runs end together
_LAST_PORT = 65535
_SOURCE_KEYS = ("MILLRACE_SOURCE_KEY", "MILLRACE_GITHUB_APP_KEY", "GITHUB_TOKEN", "GH_TOKEN")
_GITHUB = "https://api.github.com"
_PACE: Mapping[Source, float] = {"cursor-sim": 100, "github": 600}  # requests per minute; GitHub refuses above 900
_BURST = 0.95  # of the requests of a minute may follow one another without a pause
_REMOVED = ("MILLRACE_LEASE_S", "MILLRACE_QUIET_S", "MILLRACE_REQUEST_BURST", "MILLRACE_SYNCING_S")


@dataclass(frozen=True, slots=True)
class Caller:
    """The permitted caller: tokens for `audience` whose e-mail is `account`.

    On Cloud Run, IAM checks each token before the function sees it.
    """

    audience: str
    account: str
    is_on_cloud_run: bool = False


def use(settings: Mapping[str, str]) -> None:
    """Put settings into the environment, for functions served in this process."""
    os.environ.update(settings)


def data_dir() -> str | None:
    """Return the data directory of the environment, which holds real rows; None when it is unset."""
    return os.environ.get("MILLRACE_DATA_DIR") or None


def may_be_insecure() -> bool:
    """Return whether the environment lets the key go over plain http to another machine."""
    return _switch("MILLRACE_INSECURE_HTTP")


def source_key(default: str, name: str = "MILLRACE_SOURCE_KEY") -> str:
    """Return the key of the source API from the environment, or `default`."""
    return os.environ.get(name, default)


def environment_of_child(more: Mapping[str, str]) -> dict[str, str]:
    """Return the environment plus `more` for a child process, without the keys of a source API."""
    return {name: value for name, value in os.environ.items() if name not in _SOURCE_KEYS} | dict(more)


def environment_of_reader() -> dict[str, str]:
    """Return the environment of a process that reads untrusted files: how to start, and no secret."""
    names = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONHOME", "TMPDIR", "TZ", "TZDIR")
    return {name: os.environ[name] for name in names if name in os.environ} | {"ARROW_DEFAULT_MEMORY_POOL": "system"}


def port() -> int:
    """Return the port to serve on, which the platform sets; 8080 when it is unset."""
    text = os.environ.get("PORT", "") or "8080"
    if not re.fullmatch(r"[0-9]{1,5}", text) or int(text) > _LAST_PORT:
        raise ConfigError(f"PORT: expected a number from 0 to {_LAST_PORT}, got {text!r}")
    return int(text)


def project() -> str | None:
    """Return the project of the deployment; None when it is unset, as outside of Google Cloud."""
    return os.environ.get("MILLRACE_PROJECT") or None


def _refuse_removed() -> None:
    """Raise ConfigError for a setting of an earlier version."""
    if name := next((name for name in _REMOVED if name in os.environ), None):
        raise ConfigError(f"{name} is no longer a setting: its value is now fixed (docs/settings.md); unset it")


def _required(name: str) -> str:
    value = os.environ.get(name, "")
    if not value:
        raise ConfigError(f"{name} is not set; docs/settings.md describes it")
    return value


def _number(name: str, default: float, at_least: float = 0, at_most: float = 1e300) -> float:
    text = os.environ.get(name, "")
    try:
        value = float(text) if text else default
    except ValueError:
        value = -1.0
    if not at_least <= value <= at_most:
        most = f" and at most {at_most:g}" if at_most < 1e300 else ""
        raise ConfigError(f"{name}: expected a number of at least {at_least}{most}, got {text!r}")
    return value


def _instant(name: str) -> datetime | None:
    text = os.environ.get(name, "")
    try:
        instant = datetime.fromisoformat(text) if text else None
    except ValueError:
        raise ConfigError(f"{name}: expected a time like 2026-01-31T06:00:00Z, got {text!r}") from None
    if instant is not None and instant.tzinfo is None:
        raise ConfigError(f"{name}: expected a time with its zone, got {text!r}")
    return instant


def _switch(name: str) -> bool:
    text = os.environ.get(name, "").strip().lower()
    if text not in ("", "0", "1", "false", "true", "no", "yes", "off", "on"):
        raise ConfigError(f"{name}: expected 1 or 0, got {text!r}")
    return text in ("1", "true", "yes", "on")


def time_zone() -> str | None:
    """Return the time zone of the environment; None when it is unset, and the machine's settings count."""
    return os.environ.get("TZ") or None


def people() -> tuple[str, str]:
    """Return how people are shown, and the key of their pseudonyms, as they are set; `api.people` checks both."""
    return os.environ.get("MILLRACE_PEOPLE", ""), os.environ.get("MILLRACE_PEOPLE_KEY", "")


def collect_state() -> str | None:
    """Return the folder for the collector's state; None when it is unset."""
    return os.environ.get("MILLRACE_COLLECT_STATE") or None


def _is_on(name: str) -> bool:
    text = os.environ.get(name, "").strip().lower()
    if text not in (*_ON, *_OFF):
        raise ConfigError(f"{name}: expected on or off, got {text!r}; nothing is read until that is clear")
    return text in _ON


def _hash_key(name: str) -> str | None:
    text, file = os.environ.get(name, ""), os.environ.get("MILLRACE_COLLECT_HASH_KEY_FILE", "")
    if text and file:
        raise ConfigError(f"{name} and MILLRACE_COLLECT_HASH_KEY_FILE: expected one of them, got both")
    if file:
        name, text = "MILLRACE_COLLECT_HASH_KEY_FILE", _secret_in("MILLRACE_COLLECT_HASH_KEY_FILE", Path(file)) or " "
    key = text.strip()
    if text and len(key) < _HASH_KEY_LENGTH:
        raise ConfigError(
            f"{name}: expected at least {_HASH_KEY_LENGTH} characters, got {len(key)}; "
            "shorter keys can be guessed: openssl rand -hex 16 prints a good one"
        )
    return key or None


def _secret_in(name: str, file: Path) -> str:
    """Return what a file holds that only its owner may read."""
    try:
        mode, text = file.stat().st_mode, file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{name}: {file} cannot be read: {error}") from error
    if os.name == "posix" and mode & 0o077:
        raise ConfigError(f"{name}: others may read {file}; type: chmod 600 {shlex.quote(str(file))}")
    return text


def _caller() -> Caller | None:
    audience, account = os.environ.get("MILLRACE_PUSH_AUDIENCE", ""), os.environ.get("MILLRACE_PUSH_ACCOUNT", "")
    if bool(audience) != bool(account):
        raise ConfigError("MILLRACE_PUSH_AUDIENCE and MILLRACE_PUSH_ACCOUNT: both are needed to check who calls")
    # https://docs.cloud.google.com/run/docs/container-contract#services-env-vars
    return Caller(audience, account, is_on_cloud_run="K_SERVICE" in os.environ) if audience else None


def _delivery_s(longest_s: float) -> float:
    """Return the seconds after which the platform ends a delivery; 0: never. `longest_s` is the longest request."""
    seconds = _number("MILLRACE_DELIVERY_S", 0)
    if seconds and seconds < 2 * longest_s:
        raise ConfigError(
            f"MILLRACE_DELIVERY_S: expected at least {2 * longest_s:g}, twice MILLRACE_TIMEOUT_S and "
            f"MILLRACE_ANSWER_S together, got {seconds:g}"
        )
    return seconds


def _memory(name: str) -> str:
    text = os.environ.get(name) or "200MB"
    if not re.fullmatch(r"[0-9]+(\.[0-9]+)? ?[KMGT]i?B", text):
        raise ConfigError(f"{name}: expected an amount like 200MB, got {text!r}")
    return text


def _source_key(source: Source) -> tuple[str, str, str]:
    """Return the key of the source, or the id and the key of a GitHub App; what is not used is ""."""
    names = ("MILLRACE_SOURCE_KEY", "MILLRACE_GITHUB_APP_ID", "MILLRACE_GITHUB_APP_KEY")
    key, app_id, app_key = (os.environ.get(name, "") for name in names)
    if (app_id or app_key) and (source != "github" or key or not (app_id and app_key)):
        raise ConfigError(f"{names[1]} and {names[2]}: expected both, for the source github, without {names[0]}")
    return (key if app_id else _required(names[0]), app_id, app_key)


@dataclass(frozen=True, slots=True)
class ExtractConfig:
    """The settings of the extract functions; those from `source` on say what they read (see runs.Origin)."""

    lake: str
    bus: str
    source_url: str
    source_key: str = field(repr=False)
    requests_per_minute: float
    request_burst: int
    timeout_s: float
    answer_s: float
    delivery_s: float
    caller: Caller | None = None
    source: Source = SOURCES[0]
    account: str = ""
    app_id: str = ""
    app_key: str = field(default="", repr=False)
    repositories: tuple[str, ...] = ()
    first_days: int = 90
    titles: bool = True
    bodies: bool = False

    @classmethod
    def from_env(cls) -> Self:
        """Read the environment; ConfigError names the missing setting."""
        _refuse_removed()
        source = addresses.source_named(os.environ.get("MILLRACE_SOURCE", "") or SOURCES[0])
        url, account = os.environ.get("MILLRACE_SOURCE_URL", ""), os.environ.get("MILLRACE_ACCOUNT", "")
        if source == "github":
            url, account = url or _GITHUB, _required("MILLRACE_ACCOUNT")
        key, app_id, app_key = _source_key(source)
        requests_per_minute = _number("MILLRACE_REQUESTS_PER_MINUTE", _PACE[source])
        timeout_s = _number("MILLRACE_TIMEOUT_S", 30, at_least=0.1)
        answer_s = _number("MILLRACE_ANSWER_S", 120, at_least=0.1)
        return cls(
            lake=_required("MILLRACE_LAKE"),
            bus=_required("MILLRACE_BUS"),
            source_url=addresses.source_url(url or _required("MILLRACE_SOURCE_URL"), may_be_insecure()),
            source_key=key,
            requests_per_minute=requests_per_minute,
            request_burst=max(1, int(requests_per_minute * _BURST)),
            timeout_s=timeout_s,
            answer_s=answer_s,
            delivery_s=_delivery_s(timeout_s + answer_s),
            caller=_caller(),
            source=source,
            account=addresses.account(account) if account else "",
            app_id=app_id,
            app_key=app_key,
            repositories=addresses.repositories(os.environ.get("MILLRACE_REPOSITORIES", "")),
            first_days=int(_number("MILLRACE_FIRST_DAYS", 90, at_least=1, at_most=36_500)),
            titles=_is_on("MILLRACE_TITLES"),
            bodies=_switch("MILLRACE_BODIES"),
        )


@dataclass(frozen=True, slots=True)
class LoadConfig:
    """The settings of the load function."""

    lake: str
    quarantine: str
    bus: str
    warehouse: str
    job: str
    memory: str
    snowflake_key: str | None = field(default=None, repr=False)
    caller: Caller | None = None
    silent_h: float = 36
    since: datetime | None = None

    @classmethod
    def from_env(cls) -> Self:
        """Read the environment; ConfigError names the missing setting."""
        return cls(
            lake=_required("MILLRACE_LAKE"),
            quarantine=_required("MILLRACE_QUARANTINE"),
            bus=_required("MILLRACE_BUS"),
            warehouse=_required("MILLRACE_WAREHOUSE"),
            job=_required("MILLRACE_JOB"),
            memory=_memory("MILLRACE_MEMORY"),
            snowflake_key=os.environ.get("MILLRACE_SNOWFLAKE_KEY") or None,
            caller=_caller(),
            silent_h=_number("MILLRACE_SILENT_H", 36),
            since=_instant("MILLRACE_SINCE"),
        )


@dataclass(frozen=True, slots=True)
class BuildConfig:
    """The settings of the dbt-runner."""

    lake: str
    warehouse: str
    dbt_dir: str
    target_dir: str
    memory: str
    lease_s: float
    quiet_s: float
    snowflake_key: str | None = field(default=None, repr=False)

    @classmethod
    def from_env(cls) -> Self:
        """Read the environment; ConfigError names the missing setting."""
        _refuse_removed()
        return cls(
            lake=_required("MILLRACE_LAKE"),
            warehouse=_required("MILLRACE_WAREHOUSE"),
            dbt_dir=_required("MILLRACE_DBT_DIR"),
            target_dir=_required("MILLRACE_DBT_TARGET_DIR"),
            memory=_memory("MILLRACE_MEMORY"),
            lease_s=_LEASE_S,
            # https://docs.cloud.google.com/run/docs/container-contract#jobs-env-vars
            quiet_s=_QUIET_S if "CLOUD_RUN_JOB" in os.environ else 0,
            snowflake_key=os.environ.get("MILLRACE_SNOWFLAKE_KEY") or None,
        )


@dataclass(frozen=True, slots=True)
class ApiConfig:
    """The settings of the read API."""

    lake: str
    quarantine: str
    warehouse: str
    memory: str
    snowflake_key: str | None = field(default=None, repr=False)

    @classmethod
    def from_env(cls) -> Self:
        """Read the environment; ConfigError names the missing setting."""
        return cls(
            lake=_required("MILLRACE_LAKE"),
            quarantine=_required("MILLRACE_QUARANTINE"),
            warehouse=_required("MILLRACE_WAREHOUSE"),
            memory=_memory("MILLRACE_MEMORY"),
            snowflake_key=os.environ.get("MILLRACE_SNOWFLAKE_KEY") or None,
        )


@dataclass(frozen=True, slots=True)
class CollectConfig:
    """The settings of the collector.

    `environment` is read only for the places where the coding agents keep their logs. `lake` is None when it is unset;
    the command then supplies the destination. `owners` are those whose repositories are named; None when it is unset.
    """

    is_off: bool
    lake: str | None
    user: str | None
    hash_key: str | None = field(repr=False)
    state: str | None
    environment: Mapping[str, str] = field(repr=False)
    owners: frozenset[str] | None = None

    @classmethod
    def from_env(cls) -> Self:
        """Read the environment; raise ConfigError for a switch that is neither on nor off, and for a short hash key."""
        return cls(
            is_off=not _is_on("MILLRACE_COLLECT"),
            lake=os.environ.get("MILLRACE_LAKE") or None,
            user=os.environ.get("MILLRACE_COLLECT_USER") or None,
            hash_key=_hash_key("MILLRACE_COLLECT_HASH_KEY"),
            state=collect_state(),
            environment=dict(os.environ),
            owners=addresses.owner_names("MILLRACE_COLLECT_OWNERS", os.environ.get("MILLRACE_COLLECT_OWNERS", "")),
        )


@dataclass(frozen=True, slots=True)
class StatusConfig:
    """The limits beyond which the status reports a problem (rules in status/rules.py)."""

    stale_events: float = 100
    syncing_s: float = 10
    stale_s: float = 3600
    silent_h: float = 36

    @classmethod
    def from_env(cls) -> Self:
        """Read the environment; ConfigError names a setting that is not a number."""
        _refuse_removed()
        return cls(
            stale_events=_number("MILLRACE_STALE_EVENTS", 100),
            stale_s=_number("MILLRACE_STALE_S", 3600),
            silent_h=_number("MILLRACE_SILENT_H", 36),
        )
