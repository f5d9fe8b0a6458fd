"""The emulators that the contract suites run over."""

from collections.abc import Iterator

import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud.storage import Client
from tests.contract.rig import emptied, one_on_snowflake, open_rig, rig

from emulators.storage import storage_emulator

__all__ = ["emptied", "one_on_snowflake", "open_rig", "rig"]  # fixtures


@pytest.fixture(scope="module")
def cloud_storage() -> Iterator[Client]:
    """A real client of an emulator without buckets."""
    with storage_emulator() as url, Client("p", AnonymousCredentials(), client_options={"api_endpoint": url}) as client:
        yield client
