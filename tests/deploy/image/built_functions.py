"""The functions' image, run as Cloud Run runs each service of the plan: `make prove-image`."""

import json
import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from tests.deploy import services
from tests.deploy.image.rig import ALONE, FOLDER, FUNCTIONS, JOB, MISSING, image, rig, run
from tests.deploy.packages.packaging import Served
from tests.deploy.services import NAMES, Service

pytestmark = [pytest.mark.skipif(not FOLDER.exists(), reason=MISSING), pytest.mark.usefixtures("images")]
FIRST_ANSWER_S = 30  # user story US-P8-007
INSTALLED = "import importlib.metadata as m; print(*(f'{each.name}=={each.version}' for each in m.distributions()))"
WITHOUT_BYTECODE = """
import importlib.util, pathlib
for path in [*pathlib.Path("/app/millrace").rglob("*.py"), *pathlib.Path("/app/functions").rglob("*.py")]:
    if not pathlib.Path(importlib.util.cache_from_source(str(path))).exists():
        print(path)
"""


@contextmanager
def container(service: Service, emulators: dict[str, str]) -> Iterator[Served]:
    """Run a service in the image, on this machine's network, where the emulators are."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = service.settings | {"K_SERVICE": service.name, "PORT": str(port)} | emulators
    options = [part for name, value in settings.items() for part in ("-e", f"{name}={value}")]
    if service.command:
        options += ["--entrypoint", json.dumps(service.command)]
    name = f"millrace-test-{service.name}-{port}"
    started = time.monotonic()
    begun = rig("ocirun", "-d", "--name", name, "--network", "host", *ALONE, *options, FUNCTIONS, *service.arguments)
    assert begun.code == 0, begun.err
    served = Served(f"http://127.0.0.1:{port}/", started)
    try:
        while not served.is_up():
            assert time.monotonic() - started < 120, rig("ocirun", "--logs", name).err
            time.sleep(0.02)
        yield served
        assert rig("ocirun", "--health", name).code == 0
        lines = rig("ocirun", "--logs", name)
        assert all(json.loads(line)["severity"] for line in (lines.out + lines.err).splitlines())
    finally:
        rig("ocirun", "--stop", name)


@pytest.mark.parametrize("name", NAMES)
def test_the_first_request_reaches_the_handler_within_seconds(
    found: dict[str, Service], emulators: dict[str, str], name: str
) -> None:
    request = services.request(found[name])
    with container(found[name], emulators) as served:
        listens_s = time.monotonic() - served.started
        status, body = served.send(request.method, request.path.lstrip("/"), request.headers, request.body)
        answered_s = time.monotonic() - served.started
    print(f"{name:<24} healthy after {listens_s:.1f} s, first answer after {answered_s:.1f} s")  # noqa: T201
    assert (status, request.says in body.decode()) == (request.status, True), body
    assert answered_s < FIRST_ANSWER_S


def inside(*command: str) -> str:
    return run("--entrypoint", command[0], FUNCTIONS, *command[1:]).out


def test_functions_run_as_unprivileged_user_without_capabilities() -> None:
    assert inside("id", "-u").split() == ["65532"]
    capabilities = re.findall(r"Cap\w+:\s+(\w+)", inside("cat", "/proc/self/status"))
    assert {int(each, 16) for each in capabilities} == {0}


def test_nothing_in_the_functions_builds_installs_or_is_dbt() -> None:
    tools = ("pip", "pip3", "uv", "gcc", "cc", "make", "git", "curl", "wget", "dbt", "cyclonedx-py")
    assert inside("sh", "-c", f"for tool in {' '.join(tools)}; do command -v $tool; done") == ""
    either = " -o ".join(
        f"-name {name}" for name in ("pip", "ensurepip", "setuptools", "dbt", "duckdb", "cyclonedx_py")
    )
    assert inside("sh", "-c", f"find /app/venv /usr \\( {either} \\)") == ""


def test_functions_are_compiled() -> None:
    assert inside("python", "-c", WITHOUT_BYTECODE) == ""


def test_an_unhealthy_service_is_seen() -> None:
    check = image(FUNCTIONS)["Healthcheck"]["Test"]
    assert check[0] == "CMD"
    assert run("--entrypoint", check[1], FUNCTIONS, *check[2:]).code != 0  # nothing serves in that container


@pytest.mark.parametrize("name", [FUNCTIONS, JOB], ids=["functions", "job"])
def test_image_lists_what_is_installed_in_it(name: str) -> None:
    listed = json.loads(run("--entrypoint", "cat", name, "/app/sbom.cdx.json").out)
    held = set(run("--entrypoint", "python", name, "-c", INSTALLED).out.split())
    assert listed["bomFormat"] == "CycloneDX"
    assert {f"{each['name']}=={each['version']}" for each in listed["components"]} == held


@pytest.mark.parametrize("name", [FUNCTIONS, JOB], ids=["functions", "job"])
def test_image_says_which_base_it_has(name: str) -> None:
    labels = image(name)["Labels"]
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", labels["org.opencontainers.image.base.digest"])
    assert re.fullmatch(r"([0-9a-f]{40}(-dirty)?)?", labels["org.opencontainers.image.revision"])
