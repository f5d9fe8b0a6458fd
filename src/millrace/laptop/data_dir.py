"""The data directory, which holds a pipeline on one machine. Only one process uses it at a time."""

import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from millrace import memory
from millrace.collect import lock
from millrace.config import ApiConfig, BuildConfig, LoadConfig, collect_state
from millrace.errors import ConfigError, Step
from millrace.laptop import kinds
from millrace.laptop.kinds import Binding, Kind, Note
from millrace.laptop.project import PROJECT as PROJECT

LEASE_S = 5.0  # only one process works in the directory, so the holder of another lease is dead
_OURS = re.compile(
    r"(millrace|published)\.duckdb.*|lake|quarantine|collector|running(\.process)?|work|dbt|homes|source\.json|emulated|buckets|demo"
)
"""The names of the files and folders in a data directory."""
_SIGNS = ("collector", "running", "source.json", "lake", "millrace.duckdb", "published.duckdb", "emulated")
"""Names in a data directory: each has at least one."""


@dataclass(frozen=True, slots=True)
class DataDir:
    """The parts of a data directory."""

    root: Path

    @property
    def lake(self) -> Path:
        """The bucket."""
        return self.root / "lake"

    @property
    def drop(self) -> Path:
        """The folder for dropped files."""
        return self.lake / "drop"

    @property
    def quarantine(self) -> Path:
        """The bucket of objects that could not be loaded."""
        return self.root / "quarantine"

    @property
    def warehouse(self) -> Path:
        """The DuckDB file."""
        return self.root / "millrace.duckdb"

    @property
    def published(self) -> Path:
        """The copy of the last good build, for readers: it can be read during a run."""
        return self.root / "published.duckdb"

    @property
    def typed_prices(self) -> Path:
        """The typed prices of that build, for commands that do not open DuckDB."""
        return self.root / "published.duckdb.prices.csv"

    @property
    def collector(self) -> Path:
        """The folder of the collector's checkpoints of this machine's logs."""
        return self.root / "collector"

    def collector_state(self) -> Path:
        """Return the state folder of this machine's collector: MILLRACE_COLLECT_STATE, or `collector`."""
        configured = collect_state()
        return Path(configured).resolve() if configured else self.collector

    @property
    def running(self) -> Path:
        """The lock, with the id of the process that uses the directory; a killed process leaves its id."""
        return self.root / "running"

    @property
    def process(self) -> Path:
        """A note that distinguishes the process in `running`, which scripts read, from a later one with the same id."""
        return self.root / "running.process"

    def worker(self) -> int | None:
        """Return the process that uses the directory, if it is alive."""
        return lock.living(self.process if self.process.exists() else self.running)

    @property
    def work(self) -> Path:
        """Temporary files. A killed process leaves them behind, and the next one removes them."""
        return self.root / "work"

    @property
    def dbt(self) -> Path:
        """The output of dbt: its log, its manifest, the compiled SQL."""
        return self.root / "dbt"

    def settings(self) -> dict[str, str]:
        """Return the environment of the functions and the job."""
        return {
            "MILLRACE_LAKE": self.lake.as_uri(),
            "MILLRACE_QUARANTINE": self.quarantine.as_uri(),
            "MILLRACE_BUS": "inprocess:",
            "MILLRACE_JOB": "inprocess:",
            "MILLRACE_WAREHOUSE": self.warehouse.as_uri().replace("file:", "duckdb:", 1),
            "MILLRACE_MEMORY": "400MB",
            "MILLRACE_DBT_DIR": str(PROJECT / "jobs" / "dbt-runner" / "dbt"),
            "MILLRACE_DBT_TARGET_DIR": str(self.dbt),
        }

    def load_config(self) -> LoadConfig:
        """Return the configuration of a load in this directory."""
        settings = self.settings()
        return LoadConfig(
            lake=settings["MILLRACE_LAKE"],
            quarantine=settings["MILLRACE_QUARANTINE"],
            bus=settings["MILLRACE_BUS"],
            warehouse=settings["MILLRACE_WAREHOUSE"],
            job=settings["MILLRACE_JOB"],
            memory=settings["MILLRACE_MEMORY"],
        )

    def build_config(self) -> BuildConfig:
        """Return the configuration of a build in this directory."""
        settings = self.settings()
        return BuildConfig(
            lake=settings["MILLRACE_LAKE"],
            warehouse=settings["MILLRACE_WAREHOUSE"],
            dbt_dir=settings["MILLRACE_DBT_DIR"],
            target_dir=settings["MILLRACE_DBT_TARGET_DIR"],
            memory=settings["MILLRACE_MEMORY"],
            lease_s=LEASE_S,
            quiet_s=0,
        )

    def api_config(self) -> ApiConfig:
        """Return the configuration of the read API, which reads only what is published and never blocks a run."""
        settings = self.settings()
        return ApiConfig(
            lake=settings["MILLRACE_LAKE"],
            quarantine=settings["MILLRACE_QUARANTINE"],
            warehouse=settings["MILLRACE_WAREHOUSE"],
            memory=settings["MILLRACE_MEMORY"],
        )

    def keep_private(self) -> None:
        """Revoke other users' access to this directory, which earlier versions granted.

        A folder that also holds other files keeps its mode; only our files in it are changed.
        """
        found = list(self.root.iterdir())
        ours = [path for path in found if _OURS.fullmatch(path.name)]
        for path in ours if len(ours) < len(found) else [self.root, *ours]:
            status = path.lstat()
            is_ours = status.st_uid == os.geteuid() and not stat.S_ISLNK(status.st_mode)
            if is_ours and status.st_mode & 0o077:
                path.chmod(stat.S_IMODE(status.st_mode) & 0o700)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Lock the directory, and keep new files private to this user.

        Raises ConfigError when another run holds the lock, TransientError when this process may not have the memory
        for a build.
        """
        memory.require_address_space()
        before = os.umask(0o077)  # of the process: DuckDB, dbt and the simulator write here too
        try:
            with self._locked():
                yield
        finally:
            os.umask(before)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Lock the directory, and put temporary files into `work`."""
        running = FileLock(self.running, mode=0o600)
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            self.keep_private()
            running.acquire(timeout=0)
        except Timeout:
            holder = self.running.read_text().strip() or "unknown"
            raise ConfigError(
                f"another run (process {holder}) is using {self.root}; wait for it, or give another --data-dir"
            ) from None
        except OSError as error:
            raise ConfigError(f"{self.root} cannot be used as data directory: {error.strerror}") from error
        try:
            self.process.write_text(lock.note_of_this_process())
            self.running.write_text(str(os.getpid()))
            shutil.rmtree(self.work, ignore_errors=True)
            for folder in (self.drop, self.dbt, self.work):
                folder.mkdir(parents=True, exist_ok=True)
            before, tempfile.tempdir = tempfile.tempdir, str(self.work)
            try:
                yield
            finally:
                tempfile.tempdir = before
                self.running.write_text("")
                self.process.unlink(missing_ok=True)
        finally:
            running.release()

    @property
    def note(self) -> Path:
        """The note of what the directory holds: see kinds.py."""
        return self.root / "source.json"

    @property
    def is_there(self) -> bool:
        """Whether the folder is a data directory, of any version, in which something has begun."""
        return any((self.root / name).exists() for name in _SIGNS)

    def require_begun(self) -> None:
        """Raise ConfigError when nothing has begun here: a command that only works on rows would make empty ones."""
        if not self.is_there:
            raise ConfigError(f"nothing has run in {self.root} yet", step=Step.BEGIN)

    def has_rows(self) -> bool:
        """Return whether any row was extracted or dropped; a warehouse without its lake has some."""
        if not self.lake.exists() and self.warehouse.exists():
            return True
        return any(kinds.has_dropped(lake) or kinds.has_extracted(lake) for lake in self._lakes())

    def kind(self) -> Kind | None:
        """Return what the rows are; None without rows, and where it is not known. Mixed rows are those of a demo."""
        if not self.has_rows():
            return None
        note = self.read_note()
        if note is not None:
            return note.kind
        if self._has_homes():
            return "demo"
        return "real" if self._has_own_usage() or not self._has_extracted() else None

    def is_mixed(self) -> bool:
        """Return whether an earlier version collected this machine's usage into a demo, or made a demo over it."""
        return self._has_own_usage() and self.kind() == "demo"

    def sources(self) -> tuple[Binding, ...]:
        """Return the bindings that have rows, each those of its account's runs."""
        note = self.read_note()
        return tuple(each for each in note.sources if self._has_extracted_of(each.account)) if note else ()

    def read_note(self) -> Note | None:
        """Return the note; None where it is damaged or not there."""
        try:
            return Note.parse(self.note.read_bytes())
        except OSError:
            return None

    def _lakes(self) -> tuple[Path, ...]:
        return self.lake, self.root / "buckets" / "lake"  # the second one is that of the emulators

    def is_lake(self, folder: Path) -> bool:
        """Return whether a folder, by any of its paths, is the lake of this directory."""
        return folder.exists() and any(lake.exists() and lake.samefile(folder) for lake in self._lakes())

    def _has_extracted(self) -> bool:
        return any(kinds.has_extracted(lake) for lake in self._lakes())

    def _has_extracted_of(self, account: str | None) -> bool:
        return any(kinds.has_extracted_of(lake, account) for lake in self._lakes())

    def _has_homes(self) -> bool:
        return (self.root / "homes").is_dir()

    def _has_own_usage(self) -> bool:
        # The collectors of simulated developers have a folder each, below this one.
        return (self.collector / "state.sqlite").exists()
