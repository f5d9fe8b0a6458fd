"""The emulators that the contract suites run over."""

from collections.abc import Iterator

import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud.storage import Client

from emulators.storage import storage_emulator


@pytest.fixture(scope="module")
def cloud_storage() -> Iterator[Client]:
    """A real client of an emulator without buckets."""
    with storage_emulator() as url, Client("p", AnonymousCredentials(), client_options={"api_endpoint": url}) as client:
        yield client
