"""Mounts below the folder of a schedule: a data directory on a small disk, or one that cannot be written."""

import os
import shutil
import subprocess
from pathlib import Path

_ENOUGH = ("size=1g", "nr_inodes=100k")


class Mounts:
    """The mounts below a folder; `undo` removes all of them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()

    def put_on_disk(self, data: Path) -> None:
        """Put a data directory on a file system of its own, which is large for now."""
        if os.path.ismount(data):
            return
        aside = data.with_name("before")
        data.mkdir(parents=True, exist_ok=True)
        data.rename(aside)
        data.mkdir()
        _do("mount", "-t", "tmpfs", "-o", ",".join(_ENOUGH), "none", str(data))
        shutil.copytree(aside, data, dirs_exist_ok=True)
        shutil.rmtree(aside)

    def limit(self, data: Path, bytes_left: int | None = None, inodes_left: int | None = None) -> None:
        """Leave this much space on the disk of a data directory; None: enough."""
        now = os.statvfs(data)
        options = list(_ENOUGH)
        if bytes_left is not None:
            options[0] = f"size={(now.f_blocks - now.f_bfree) * now.f_frsize + bytes_left}"
        if inodes_left is not None:
            options[1] = f"nr_inodes={now.f_files - now.f_ffree + inodes_left}"
        _do("mount", "-o", ",".join(("remount", *options)), str(data))

    def bind(self, data: Path) -> None:
        """Mount a data directory on itself, so that it can be made read-only."""
        data.mkdir(parents=True, exist_ok=True)
        _do("mount", "--bind", str(data), str(data))

    def allow_writing(self, data: Path, is_allowed: bool) -> bool:
        """Make a bound data directory writable or not; return whether that worked: it fails while a process writes."""
        option = f"remount,bind,{'rw' if is_allowed else 'ro'}"
        return subprocess.run(["mount", "-o", option, str(data)], capture_output=True, check=False).returncode == 0

    def unbind(self, data: Path) -> None:
        """Remove the last mount of a data directory."""
        _do("umount", str(data))

    def there(self) -> list[Path]:
        """Return the mounts below the folder, the newest first."""
        lines = Path("/proc/self/mounts").read_text().splitlines() if Path("/proc/self/mounts").exists() else []
        paths = [Path(line.split()[1].encode().decode("unicode_escape")) for line in lines]
        return [path for path in reversed(paths) if path.is_relative_to(self._folder)]

    def undo(self) -> list[str]:
        """Remove all mounts; return those that were still in use."""
        wrong = []
        for path in self.there():
            if subprocess.run(["umount", str(path)], capture_output=True, check=False).returncode:
                subprocess.run(["umount", "--lazy", str(path)], capture_output=True, check=False)
                wrong.append(f"the mount {path.name} was in use")
        return wrong + [f"{path.name} is mounted" for path in self.there()]


def _do(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
