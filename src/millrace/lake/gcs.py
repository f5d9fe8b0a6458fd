"""A lake in a Cloud Storage bucket.

Every write carries `ifGenerationMatch`, so the client library may retry it after a lost answer. At worst the retry
finds the first attempt's object and is refused. Callers cannot distinguish that from another writer's object, and need
not: `create_once` compares the content, and a caller that replaces an object reads it again (a lease recognises its
own).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from google.api_core import exceptions as refused
from google.api_core.retry import Retry
from google.auth import exceptions as unauthorised
from google.cloud.storage import Blob, Client
from google.cloud.storage.exceptions import DataCorruption
from google.cloud.storage.retry import DEFAULT_RETRY, DEFAULT_RETRY_IF_GENERATION_SPECIFIED, ConditionalRetryPolicy

from millrace.errors import ConfigError, MillraceError, TransientError
from millrace.lake import ObjectExists, ObjectMissing, ObjectVersion, StoredObject, checksum

_UPLOAD_CHUNK_BYTES = 8 << 20  # that a resumable upload holds in memory; a multiple of 256 KiB
_MAX_NAME_BYTES = 1024
_LISTED = "items(name,generation,size,crc32c),nextPageToken"


class GcsLake:
    """One bucket of Cloud Storage. Calls are retried by Google's policy until `retry` gives up."""

    def __init__(self, client: Client, bucket: str, retry: Retry = DEFAULT_RETRY) -> None:
        self.bucket = bucket
        client._bucket_metadata_cache = None  # it reads the bucket's metadata in the background, which no account may
        self._client = client
        self._bucket = client.bucket(bucket)
        self._retry = retry
        self._retry_write = ConditionalRetryPolicy(
            retry,
            DEFAULT_RETRY_IF_GENERATION_SPECIFIED.conditional_predicate,
            DEFAULT_RETRY_IF_GENERATION_SPECIFIED.required_kwargs,
        )

    @classmethod
    def at(cls, bucket: str) -> Self:
        """Return the bucket with the environment's credentials, or from STORAGE_EMULATOR_HOST."""
        return cls(Client(), bucket)

    def write(self, name: str, content: bytes | Path, if_generation: int) -> StoredObject:
        """Make `content` the newest version; above 8 MiB in a resumable upload, chunk by chunk.

        The service receives the checksum and refuses other bytes.
        """
        blob = self._blob(name)
        crc32c = checksum(content)
        blob.crc32c = crc32c
        sending = {
            "content_type": "application/octet-stream",
            "if_generation_match": if_generation,
            "checksum": "crc32c",
            "crc32c_checksum_value": crc32c,
            "retry": self._retry_write,
        }
        with _translate_errors(self.bucket, name, missing=ConfigError):
            if isinstance(content, bytes):
                blob.upload_from_string(content, **sending)
            else:
                blob.chunk_size = _UPLOAD_CHUNK_BYTES
                blob.upload_from_filename(str(content), **sending)
        return self._stored(blob, blob.size)

    def read(self, name: str, generation: int | None = None) -> tuple[bytes, StoredObject]:
        """Return the whole content of a small object, as it is stored, and its version."""
        blob = self._blob(name, generation)
        with _translate_errors(self.bucket, name):
            content = blob.download_as_bytes(raw_download=True, checksum="crc32c", retry=self._retry)
        return content, self._stored(blob, len(content))

    def download(self, version: ObjectVersion, to: Path) -> StoredObject:
        """Stream exactly that version into a file; the library checks the checksum meanwhile."""
        blob = self._blob(version.name, version.generation)
        with _translate_errors(self.bucket, version.name), to.open("wb") as target:
            blob.download_to_file(target, raw_download=True, checksum="crc32c", retry=self._retry)
        return self._stored(blob, to.stat().st_size)

    def list(self, prefix: str, start: str = "") -> Iterator[StoredObject]:
        """Yield the newest version of every object under `prefix` from `start` on, page by page."""
        if prefix and not _is_name(prefix.encode("utf-8", "surrogatepass")):
            return
        with _translate_errors(self.bucket, prefix, missing=ConfigError):
            for blob in self._client.list_blobs(
                self._bucket, prefix=prefix, start_offset=start or None, fields=_LISTED, retry=self._retry
            ):
                yield self._stored(blob, blob.size)

    def _blob(self, name: str, generation: int | None = None) -> Blob:
        if not _is_name(name.encode("utf-8", "surrogatepass")) or name in (".", ".."):
            raise ObjectMissing(f"{name!r:.200} cannot be the name of an object")
        return self._bucket.blob(name, generation=generation)

    def _stored(self, blob: Blob, size: int | None) -> StoredObject:
        if blob.crc32c is None or blob.generation is None or size is None:
            raise TransientError(f"gs://{self.bucket}/{blob.name}: an answer without generation, size or checksum")
        return StoredObject(ObjectVersion(self.bucket, blob.name, int(blob.generation)), size, blob.crc32c)


def _is_name(encoded: bytes) -> bool:
    return 0 < len(encoded) <= _MAX_NAME_BYTES and not any(mark in encoded for mark in b"\0\r\n")


@contextmanager
def _translate_errors(bucket: str, name: str, missing: type[MillraceError] = ObjectMissing) -> Iterator[None]:
    """Turn the library's errors into those of a Lake; with `missing` ConfigError, a 404 can only be the bucket's."""
    where = f"gs://{bucket}/{name}"
    try:
        yield
    except refused.PreconditionFailed as error:
        raise ObjectExists(f"{where} is at another generation") from error
    except refused.NotFound as error:
        if missing is ConfigError or "bucket does not exist" in str(error):
            raise ConfigError(f"no bucket {bucket!r}; is MILLRACE_LAKE right, and Terraform applied?") from error
        raise ObjectMissing(f"no object {where}, or no longer at that generation") from error
    except (refused.Unauthorized, refused.Forbidden, unauthorised.DefaultCredentialsError) as error:
        raise ConfigError(f"{where}: {error}; the account's rights are in terraform/") from error
    except (refused.TooManyRequests, refused.ServerError, refused.RetryError, DataCorruption) as error:
        raise TransientError(f"{where}: {error}; Cloud Storage may answer later") from error
    except unauthorised.GoogleAuthError as error:
        raise TransientError(f"{where}: {error}; is the metadata server within reach?") from error
    except refused.GoogleAPICallError as error:
        raise ConfigError(f"{where}: Cloud Storage refuses: {error}") from error
