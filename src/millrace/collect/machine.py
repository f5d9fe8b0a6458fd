"""The machine whose logs are read, and the folder of the collector's state."""

import hashlib
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from millrace.collect import lock, outbox
from millrace.collect.checkpoints import CheckpointStore
from millrace.collect.collector import Collector
from millrace.collect.discovery import Platform, Root, discover
from millrace.collect.identity import Privacy, owner, user_id
from millrace.collect.repositories import NONE, Owners, Repositories
from millrace.config import CollectConfig

_MACHINE_IDS = (Path("/etc/machine-id"), Path("/var/lib/dbus/machine-id"))


def machine_identity() -> str:
    """Return a hash that identifies this machine: of its machine-id, where it has one, and its name."""
    ids = [text for path in _MACHINE_IDS if (text := _read(path))]
    return hashlib.sha256("\n".join(["millrace collector", *ids[:1], socket.gethostname()]).encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Machine:
    """The machine whose logs are read, and where the collector keeps its state.

    `identity` returns which machine it is: a state created on another one is a copy, and has another collector id.
    `owners` are those whose repositories may be named.
    """

    home: Path
    config: CollectConfig
    agents: frozenset[str]
    state: Path
    identity: Callable[[], str] = machine_identity
    owners: Owners = NONE

    @property
    def spool(self) -> Path:
        """The folder in which files wait to be sent."""
        return outbox.spool_of(self.state)

    @property
    def user_id(self) -> str | None:
        """The user whose usage it is; None when neither the settings nor git's name one."""
        return user_id(self.config.user, self.home, self.config.environment)

    def roots(self) -> list[Root]:
        """Return the places where the agents keep logs, including those that do not exist yet."""
        return discover(self.home, self.config.environment, platform(), self.agents)

    @contextmanager
    def collector(self) -> Iterator[Collector]:
        """Yield the collector, and hold the lock of its state meanwhile."""
        with lock.holding(self.state), closing(CheckpointStore.open(self.state, self.identity())) as store:
            yield self._collector(store, self.spool)

    def dry_collector(self) -> Collector:
        """Return a collector that writes nothing."""
        return self._collector(CheckpointStore.copy(self.state, self.identity()), None)

    def _collector(self, store: CheckpointStore, files: Path | None) -> Collector:
        hidden = owner(self.home, self.config.environment)
        repositories = Repositories.of_machine(self.owners, self.home, self.config.environment)
        privacy = Privacy(self.config.hash_key)
        return Collector(store, files, self.roots, self.user_id, privacy, owner=hidden, repositories=repositories)


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError):
        return ""


def platform() -> Platform:
    """Return the kind of operating system, as far as the agents' folders depend on it."""
    return "darwin" if sys.platform == "darwin" else "win32" if sys.platform == "win32" else "linux"
