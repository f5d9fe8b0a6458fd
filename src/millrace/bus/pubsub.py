"""The bus on Pub/Sub: topics of one project, which push to the functions.

Several deployments share a project by a prefix of their topics' names.
"""

import json
from collections.abc import Mapping
from concurrent.futures import TimeoutError as StillWaiting

from google.api_core import exceptions as refused
from google.api_core.retry import Retry, if_exception_type
from google.auth import exceptions as unauthorised
from google.cloud.pubsub_v1 import PublisherClient
from google.cloud.pubsub_v1.types import BatchSettings, PublisherOptions

from millrace.errors import ConfigError, TransientError

_PATIENCE_S = 60.0
# The library retries these by itself for ten minutes, which is longer than a function may run.
_REPEATED = if_exception_type(
    refused.Aborted,
    refused.DeadlineExceeded,
    refused.InternalServerError,
    refused.ResourceExhausted,
    refused.ServiceUnavailable,
    refused.Unknown,
)


class PubSubBus:
    """Publishes to the topics of a project; each message alone, because the publisher waits for it."""

    def __init__(self, project: str, prefix: str = "", patience_s: float = _PATIENCE_S) -> None:
        self._project = project
        self._prefix = prefix
        self._patience_s = patience_s
        self._publisher = PublisherClient(
            batch_settings=BatchSettings(max_messages=1),
            publisher_options=PublisherOptions(retry=Retry(_REPEATED, timeout=patience_s), timeout=patience_s),
        )

    def publish(self, topic: str, data: Mapping[str, object], attributes: Mapping[str, str]) -> None:
        """Publish one message and wait until Pub/Sub has it; from then on it is delivered at least once."""
        path = self._publisher.topic_path(self._project, f"{self._prefix}{topic}")
        try:
            published = self._publisher.publish(path, json.dumps(data).encode(), **attributes)
            published.result(timeout=self._patience_s + 5)
        except (refused.NotFound, refused.Forbidden, refused.Unauthorized, refused.InvalidArgument) as error:
            raise ConfigError(f"{path}: {error.message}; topics and rights are in terraform/") from error
        except unauthorised.DefaultCredentialsError as error:
            raise ConfigError(f"{path}: {error}") from error
        except (refused.GoogleAPICallError, refused.RetryError, unauthorised.GoogleAuthError, StillWaiting) as error:
            raise TransientError(f"{path}: {error or type(error).__name__}; Pub/Sub may answer later") from error
