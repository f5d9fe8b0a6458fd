"""A public generator makes a client from the schema, and the client reads every answer as typed values."""

import importlib
import json
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from openapi_python_client.cli import app as generator
from typer.testing import CliRunner

from millrace.api.routes import ROUTES
from millrace.laptop.data_dir import DataDir
from millrace.laptop.server import listening
from millrace.status import remedies
from millrace.wiring import api_of

PATHS = [route.path for route in ROUTES] + ["etl/status"]
CONFIG = """
project_name_override: millrace-client
package_name_override: generated_millrace_client
post_hooks: []
"""


@pytest.fixture(scope="module")
def url(store: DataDir) -> Iterator[str]:
    """The address of the API, served by a thread."""
    door = listening(0)
    server = uvicorn.Server(uvicorn.Config(api_of(store.api_config(), remedies.LAPTOP), log_config=None))
    thread = threading.Thread(target=server.run, args=([door],))
    thread.start()
    yield f"http://127.0.0.1:{door.getsockname()[1]}"
    server.should_exit = True
    thread.join()
    door.close()


@pytest.fixture(scope="module")
def generated(store: DataDir, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The output of the generator, whose client can be imported."""
    folder = tmp_path_factory.mktemp("client")
    document = api_of(store.api_config(), remedies.LAPTOP).openapi()
    (folder / "openapi.json").write_text(json.dumps(document))
    (folder / "config.yml").write_text(CONFIG)
    options = ("--path", folder / "openapi.json", "--config", folder / "config.yml", "--output-path", folder / "made")
    done = CliRunner().invoke(generator, ["generate", *map(str, options)])
    assert done.exit_code == 0, done.output
    sys.path.insert(0, str(folder / "made"))
    yield done.output
    sys.path.remove(str(folder / "made"))


def call(url: str, path: str, **parameters: object) -> Any:
    """Return the parsed answer of a route."""
    (module,) = Path(importlib.import_module("generated_millrace_client").__path__[0]).glob(
        f"api/*/{path.replace('/', '_').replace('-', '_')}.py"
    )
    function = importlib.import_module(f"generated_millrace_client.api.{module.parent.name}.{module.stem}")
    with importlib.import_module("generated_millrace_client").Client(base_url=url) as client:
        return function.sync_detailed(client=client, **parameters)


def test_the_generator_has_nothing_to_warn_of(generated: str) -> None:
    assert "warning" not in generated.lower()


@pytest.mark.parametrize("path", PATHS)
def test_a_generated_client_reads_typed_answers_of_every_route(url: str, generated: str, path: str) -> None:
    reply = call(url, path)
    assert (reply.status_code, type(reply.parsed).__module__.split(".")[0]) == (200, "generated_millrace_client")
    if path != "etl/status":
        assert reply.parsed.rows
        assert type(reply.parsed.rows[0]).__module__.startswith("generated_millrace_client.models")


def test_a_generated_client_gets_money_as_a_number_and_sends_a_zone_as_text(url: str, generated: str) -> None:
    reply = call(url, "cost-data/by-model", tz="Europe/Berlin")
    assert isinstance(reply.parsed.totals.cost_usd, float)
    assert reply.parsed.time_zone == "Europe/Berlin"


def test_a_generated_client_gets_a_refusal_as_a_problem(url: str, generated: str) -> None:
    reply = call(url, "velocity", repo=["nowhere"])
    assert (reply.status_code, type(reply.parsed).__name__) == (422, "Problem")
    assert reply.parsed.next_step
