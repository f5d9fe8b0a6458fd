"""The packages as they are deployed or installed: their files, a clean environment, and a running server.

The images hold two packages: that of the functions is `functions/<name>/main.py` and the package `millrace` beside
them, that of the job its `main.py`, `millrace` and the dbt project; each has one lock. A user installs a wheel, which
needs no checkout.
"""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[3]
NAMES = ("functions", "dbt-runner")
UV = Path(sys.executable).with_name("uv")
_IMPORTABLE = """
import sys
for name in sys.argv[1:]:
    try:
        __import__(name)
    except ImportError:
        continue
    print(name)
"""
_LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.pyc", "target", "logs")


@dataclass(frozen=True, slots=True)
class Package:
    """The files of one deployable in `folder`, and the interpreter of its own environment."""

    name: str
    folder: Path
    python: Path

    def run(self, *command: str, **settings: str) -> subprocess.CompletedProcess[str]:
        """Run one of its programs with these settings and no others."""
        line = [str(self.python.with_name(command[0])), *command[1:]]
        environment = clean(settings)
        return subprocess.run(line, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=600)

    def importable(self, *names: str) -> set[str]:
        """Return the modules among `names` that an import would find."""
        return set(self.run("python", "-c", _IMPORTABLE, *names).stdout.split())

    @contextmanager
    def serving(self, command: Sequence[str], settings: Mapping[str, str], log: Path) -> Iterator["Served"]:
        """Serve with one of its programs, as the platform starts it, until the block ends."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        line = [str(self.python.with_name(command[0])), *command[1:]]
        environment = clean({"PYTHONPATH": str(self.folder), **settings, "PORT": str(port)})
        started = time.monotonic()
        with log.open("w") as written:
            process = subprocess.Popen(line, cwd=self.folder, env=environment, stdout=written, stderr=written)
        try:
            served = Served(f"http://127.0.0.1:{port}/", started)
            while not served.is_up():
                if process.poll() is not None or time.monotonic() - started > 120:
                    raise AssertionError(f"{' '.join(line)} did not start: {log.read_text()}")
                time.sleep(0.01)
            yield served
        finally:
            process.terminate()
            process.wait(300)


@dataclass(frozen=True, slots=True)
class Served:
    """A service that answers at `url`; its process began at `started`, on this machine's monotonic clock."""

    url: str
    started: float

    def is_up(self) -> bool:
        """Return whether the platform's probe would succeed."""
        try:
            return self.get("health") == (200, b"ok")
        except OSError:
            return False

    def get(self, path: str = "") -> tuple[int, bytes]:
        """Send a GET; return the HTTP status and the body."""
        return self.send("GET", path, {}, b"")

    def post(self, body: bytes, headers: Mapping[str, str]) -> int:
        """Deliver an event; return the HTTP status."""
        return self.send("POST", "", {"Content-Type": "application/json", **headers}, body)[0]

    def send(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        """Send a request; return the HTTP status and the body."""
        request = urllib.request.Request(  # noqa: S310 our own server
            self.url + path, body or None, dict(headers), method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=600) as answer:  # noqa: S310
                return int(answer.status), answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()


def clean(settings: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a container: only the settings, nothing else of this process."""
    return {"PATH": os.defpath, "LANG": "C.UTF-8", "HOME": "/nonexistent", **settings}


def assemble(name: str, folder: Path) -> Path:
    """Copy the files of a package, and no others."""
    shutil.copytree(PROJECT / "src" / "millrace", folder / "millrace", ignore=_LEFT_OUT)
    shutil.copy(PROJECT / "requirements" / f"{name}.txt", folder / "requirements.txt")
    if name == "functions":
        shutil.copytree(PROJECT / "functions", folder / "functions", ignore=_LEFT_OUT)
    else:
        source = PROJECT / "jobs" / name
        shutil.copy(source / "main.py", folder / "main.py")
        shutil.copytree(source / "dbt", folder / "dbt", ignore=_LEFT_OUT)
    return folder


def install(name: str, folder: Path, *options: str) -> Package:
    """Assemble a package and install its lock into an environment of its own, with these options of uv."""
    assembled = assemble(name, folder / "source")
    package = Package(name, assembled, _environment(folder))
    add(package, assembled / "requirements.txt", *options)
    return package


def add(package: Package, lock: Path, *options: str) -> None:
    """Install a lock into a package's environment."""
    # Not compiled: Python compiles the few modules that a test imports.
    _add(package, *options, "--require-hashes", "-r", str(lock))


def build(project: Path, to: Path) -> None:
    """Write the sdist and the wheel of a project into the folder `to`, by its build backend."""
    line = [sys.executable, "-m", "hatchling", "build", "-d", str(to)]
    done = subprocess.run(line, cwd=project, capture_output=True, text=True)
    if done.returncode:
        raise AssertionError(done.stderr)


def install_wheel(wheel: Path, lock: str, folder: Path) -> Package:
    """Install a wheel by its file name, and a lock, into an environment of their own; its folder is empty."""
    package = Package(lock, folder / "work", _environment(folder))
    package.folder.mkdir()
    add(package, PROJECT / "requirements" / f"{lock}.txt")
    _add(package, str(wheel))
    return package


def _environment(folder: Path) -> Path:
    environment = folder / "environment"
    _uv("venv", "--quiet", "--python", sys.executable, str(environment))
    return environment / "bin" / "python"


def _add(package: Package, *what: str) -> None:
    _uv("pip", "install", "--quiet", "--no-deps", "--python", str(package.python), *what)


def _uv(*arguments: str) -> None:
    done = subprocess.run([UV, *arguments], capture_output=True, text=True)
    if done.returncode:
        raise AssertionError(done.stderr)


def size_bytes(folder: Path, *suffixes: str) -> int:
    """Add up the files of a folder; only those with one of the suffixes when there are any."""
    files = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return sum(path.stat().st_size for path in files if not suffixes or path.suffix in suffixes)
