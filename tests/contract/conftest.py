"""The stand-ins that the contract suites run over."""

from collections.abc import Iterator

import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud.storage import Client

from emulators import snowflake
from emulators.storage import storage_emulator


@pytest.fixture(scope="session")
def snowflake_at() -> Iterator[str]:
    """Where the stand-in for Snowflake is."""
    with snowflake.serving() as where:
        yield where


@pytest.fixture(scope="module")
def cloud_storage() -> Iterator[Client]:
    """A real client, of an emulator without buckets."""
    with storage_emulator() as url, Client("p", AnonymousCredentials(), client_options={"api_endpoint": url}) as client:
        yield client
