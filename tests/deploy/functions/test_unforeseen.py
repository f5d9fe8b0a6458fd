"""An exception that no code expected is one JSON line, with severity, stack and trace, and the answer 500."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from millrace import log

PROJECT = Path(__file__).resolve().parents[3]
TRACE = "0af7651916cd43dd8448eb211c80319c"
FUNCTIONS = {
    "handled": """
@functions_framework.http
def handled(request):
    with answers.answering("handled"):
        {}["secret of a row"]
""",
    "checked": """
guard.guard(None, anybody_may=True)
guard._check_event = lambda headers, body: {}["secret of a row"]

@functions_framework.cloud_event
def checked(event):
    pass
""",
}
HEAD = """
import functions_framework
from millrace import log
from millrace.bus import answers, guard

log.start("acme")
"""


@contextmanager
def served(folder: Path, target: str) -> Iterator[tuple[str, Path]]:
    """Serve a function by functions-framework as its own process; yield its address and its log."""
    source, written = folder / "main.py", folder / "log"
    source.write_text(HEAD + FUNCTIONS[target])
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "functions_framework", f"--source={source}", f"--target={target}"]
    environment = os.environ | {"PORT": str(port), "PYTHONPATH": str(PROJECT / "src"), "LOG_EXECUTION_ID": "true"}
    with (
        written.open("w") as lines,
        subprocess.Popen(command, env=environment, stdout=lines, stderr=lines) as process,
    ):
        try:
            while True:
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                assert process.poll() is None, written.read_text()
                time.sleep(0.05)
            yield f"http://127.0.0.1:{port}/", written
        finally:
            process.terminate()


def failure(url: str) -> tuple[int, str]:
    """Send a request that fails; return the HTTP status and the body."""
    headers = {"Content-Type": "application/json", "traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}
    request = urllib.request.Request(url, b'{"message": {}}', headers)  # noqa: S310 our own server
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=60)  # noqa: S310
    with caught.value as answer:
        return answer.code, answer.read().decode()


@pytest.mark.parametrize("target", FUNCTIONS)
def test_unforeseen_exception_is_one_line_and_500(tmp_path: Path, target: str) -> None:
    with served(tmp_path, target) as (url, written):
        status, body = failure(url)
    lines: list[dict[str, Any]] = [json.loads(line) for line in written.read_text().splitlines()]
    (line,) = lines
    assert (line["message"], line["severity"]) == ("unforeseen", "ERROR")
    assert (line["function"], line["kind"]) == (target, "KeyError")
    assert "secret of a row" in line["error"]
    assert "main.py" in line["stack"]
    assert line[log.TRACE] == f"projects/acme/traces/{TRACE}"
    assert status == 500
    assert "secret" not in body
