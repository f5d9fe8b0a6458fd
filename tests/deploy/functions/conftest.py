"""A served source, and the functions over a lake of their own; no log line contains the source's key."""

import base64
import io
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.deploy.functions.deployed import SECRET, Deployed, deployed

import simulator
from millrace import log


@pytest.fixture(scope="session")
def source_url() -> Iterator[str]:
    world = simulator.generate(developers=2, days=8, seed=7, end=datetime(2026, 11, 20, tzinfo=UTC))
    with simulator.serve(world, key=SECRET) as running:
        yield running.url


@pytest.fixture(autouse=True)
def logged() -> Iterator[io.StringIO]:
    """The whole log, which must not contain the key in the end."""
    text = io.StringIO()
    handler = logging.StreamHandler(text)
    handler.setFormatter(log.JsonLines())
    logger = logging.getLogger("millrace")
    handlers, level, propagate = logger.handlers, logger.level, logger.propagate
    logger.handlers, logger.propagate = [handler], False
    logger.setLevel(logging.DEBUG)  # unlike an assignment, it takes effect at once
    yield text
    logger.handlers, logger.propagate = handlers, propagate
    logger.setLevel(level)
    assert SECRET not in text.getvalue()
    assert base64.b64encode(f"{SECRET}:".encode()).decode() not in text.getvalue()


@pytest.fixture
def functions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source_url: str) -> Iterator[Deployed]:
    with deployed(tmp_path, monkeypatch, source_url) as made:
        yield made
