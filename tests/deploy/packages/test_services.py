"""Every service of the plan is started as Cloud Run starts it, and what the platform sends reaches its handler."""

import json
import socket
from pathlib import Path
from typing import Any

import pytest
from tests.deploy import services
from tests.deploy.packages.packaging import Package
from tests.deploy.services import NAMES, ROOT, Service

from millrace.laptop.functions import FUNCTIONS


def started(service: Service, package: Package, emulators: dict[str, str]) -> tuple[list[str], dict[str, str]]:
    """Return the command line and the settings of a service, in the package instead of the image's folder."""
    entry_point, of_image = services.image("functions")
    of_image["PATH"] = str(package.python.parent)
    line = [part.replace(ROOT, str(package.folder)) for part in services.command(service, entry_point)]
    settings = {name: value.replace(ROOT, str(package.folder)) for name, value in of_image.items()}
    return line, settings | service.settings | {"K_SERVICE": service.name} | emulators


@pytest.mark.parametrize("name", NAMES)
def test_what_the_platform_sends_reaches_the_handler(
    functions: Package, found: dict[str, Service], emulators: dict[str, str], name: str, tmp_path: Path
) -> None:
    service, request = found[name], services.request(found[name])
    with functions.serving(*started(service, functions, emulators), tmp_path / "log") as served:
        status, body = served.send(request.method, request.path.lstrip("/"), request.headers, request.body)
        stranger, _ = served.send("POST", "", {"Content-Type": "application/json"}, request.body or b"{}")
    written = (tmp_path / "log").read_text()
    assert (status, request.says in body.decode()) == (request.status, True), f"{status} {body!r} {written}"
    assert stranger == (405 if name == "api" else 401)
    assert all(json.loads(line)["severity"] for line in written.splitlines())


def test_every_function_is_a_service_with_the_arguments_that_the_laptop_uses(found: dict[str, Service]) -> None:
    assert set(found) == set(NAMES)
    planned = {each.arguments for each in found.values() if each.arguments}
    assert planned == {tuple(each.arguments(Path(ROOT))) for each in FUNCTIONS.values()}


def test_api_answers_a_post_before_its_body(
    functions: Package, found: dict[str, Service], emulators: dict[str, str], tmp_path: Path
) -> None:
    head = b"POST /api/velocity HTTP/1.1\r\nHost: api\r\nContent-Length: 1000000000\r\n\r\n"
    with functions.serving(*started(found["api"], functions, emulators), tmp_path / "log") as served:
        port = int(served.url.rstrip("/").rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
            connection.sendall(head + b"x" * 1000)
            assert connection.recv(1000).startswith(b"HTTP/1.1 405")


def test_api_logs_a_request_that_is_none_as_json(
    functions: Package, found: dict[str, Service], emulators: dict[str, str], tmp_path: Path
) -> None:
    with functions.serving(*started(found["api"], functions, emulators), tmp_path / "log") as served:
        port = int(served.url.rstrip("/").rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
            connection.sendall(b"\x16\x03\x01 this is no HTTP\r\n\r\n")
            assert connection.recv(1000).startswith(b"HTTP/1.1 400")
    (line,) = (tmp_path / "log").read_text().splitlines()
    assert json.loads(line)["severity"] == "WARNING"


def test_the_recorded_services_are_those_of_the_plan(planned: dict[str, Any]) -> None:
    """Where Terraform cannot run, the tests above use the record. To renew it, write `services.record(plan)` to it."""
    assert services.RECORDED.read_text() == services.record(planned)
