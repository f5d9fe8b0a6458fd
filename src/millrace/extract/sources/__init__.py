"""Sources: one folder per source, and how the one of the settings is made."""

from millrace.config import ExtractConfig
from millrace.extract.auth import Basic
from millrace.extract.budget import Budget
from millrace.extract.http_client import SourceClient, connections
from millrace.extract.reading import Source


def source_of(config: ExtractConfig, budget: Budget) -> Source:
    """Return the source of the settings; a source's code is imported only where it is used.

    Raises ConfigError for an address or a key that the source cannot have.
    """
    if config.source == "github":
        from millrace.extract.graphql import GraphQL
        from millrace.extract.sources.github.credentials import auth_of, client_of, edition_of
        from millrace.extract.sources.github.rows import Texts
        from millrace.extract.sources.github.source import GitHubSource

        edition = edition_of(config.source_url)
        auth = auth_of(config.source_key, config.app_id, config.app_key, config.account, edition)
        client = client_of(edition, auth, budget, config.timeout_s, config.answer_s)
        texts = Texts(titles=config.titles, bodies=config.bodies)
        return GitHubSource(GraphQL(client, edition.graphql), config.account, edition.rest, texts)
    from millrace.extract.sources.cursor_sim.source import CursorSimSource

    auth, session = Basic(config.source_key), connections(config.answer_s)
    return CursorSimSource(SourceClient(config.source_url, auth, budget, config.timeout_s, session))
