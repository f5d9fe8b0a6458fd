"""Every request that a client sends, and what GitHub's published documents do not allow of it."""

import gzip
import json
import re
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import requests
from graphql import GraphQLSchema, build_schema, parse, validate
from requests.adapters import HTTPAdapter
from tests.simulator.github.openapi import request_problems
from tests.simulator.github.refresh import PINNED

_BY_ID = re.compile(r"^/repositories/[0-9]+/")


class Sent(HTTPAdapter):
    """Sends requests, and keeps each query, and each method with its target, once."""

    def __init__(self) -> None:
        super().__init__()
        self.queries: set[str] = set()
        self.targets: set[tuple[str, str]] = set()

    def send(self, request: requests.PreparedRequest, *others: Any, **named: Any) -> requests.Response:
        """Keep a request, and send it."""
        parts = urlsplit(str(request.url))
        if parts.path == "/graphql":
            self.queries.add(json.loads(request.body or b"")["query"])
        else:
            self.targets.add((str(request.method), parts._replace(scheme="", netloc="").geturl()))
        return super().send(request, *others, **named)

    def problems(self) -> list[str]:
        """Return what GitHub's full schema and its OpenAPI document do not allow."""
        of_queries = [str(error) for query in sorted(self.queries) for error in validate(schema(), parse(query))]
        # GitHub's links to further pages name a repository by its id, which the document does not have.
        targets = sorted({(how, _BY_ID.sub("/repos/owner/name/", target)) for how, target in self.targets})
        return of_queries + [said for target in targets for said in request_problems(*target)]


@cache
def schema() -> GraphQLSchema:
    """Return GitHub's published schema."""
    return build_schema(gzip.decompress((PINNED / "schema.graphql.gz").read_bytes()).decode(), assume_valid=True)
