"""Checks of sign-ins: Google's credentials, gcloud, the source's key, and Snowflake."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping

import requests
from terraform.checks.context import Context
from terraform.checks.findings import Finding, Group
from terraform.checks.google import Unanswered
from terraform.checks.settings import Settings
from terraform.checks.snowflake import Account

from millrace import config
from millrace.addresses import source_url
from millrace.errors import ConfigError, MillraceError, RequestRejected, RouteNotFound, SourceUnavailable
from millrace.extract.auth import Basic
from millrace.extract.http_client import SourceClient, connections
from millrace.extract.sources.cursor_sim import pages
from millrace.tables import CURSOR_SIM, SinglePageListing

_SOURCE_S = 10.0
_GCLOUD_S = 30.0


def check_credentials(context: Context, group: Group) -> Iterator[Finding]:
    """Yield which account calls Google's APIs."""
    yield group.ok(f"Application Default Credentials of {context.email or 'an account without a known address'}")


def check_gcloud(context: Context, group: Group) -> Iterator[Finding]:
    """Yield whether gcloud is signed in, where the apply builds the images by it."""
    if not context.settings.builds_images:
        yield group.ok("gcloud is not needed: the variable images names published images")
        return
    gcloud = shutil.which("gcloud")
    if gcloud is None:
        yield group.missing(
            "gcloud is not installed; the apply builds the images by it",
            "https://cloud.google.com/sdk/docs/install, or set the variable images",
        )
        return
    try:
        asked = subprocess.run(  # noqa: S603 the tool that was found
            [gcloud, "auth", "list", "--filter=status:ACTIVE", "--format=value(account)"],
            capture_output=True,
            text=True,
            check=False,
            timeout=_GCLOUD_S,
            env=os.environ | {"CLOUDSDK_CORE_DISABLE_PROMPTS": "1"},
        )
    except subprocess.TimeoutExpired:
        yield group.unknown(f"gcloud auth list: no answer within {_GCLOUD_S:.0f} s")
        return
    if asked.returncode:
        yield group.unknown(f"gcloud auth list: {(asked.stderr.strip().splitlines() or ['failed'])[-1][:200]}")
    elif account := asked.stdout.strip():
        yield group.ok(f"gcloud is signed in as {account.splitlines()[0]}")
    else:
        yield group.missing("gcloud is not signed in; the apply builds the images by it", "gcloud auth login")


def source(settings: Settings, sleep: Callable[[float], None] = time.sleep) -> SourceClient:
    """Return a client of the source as the extract functions have it; ConfigError without a usable address or key."""
    key = settings.text("source_key")
    if key is None:
        raise ConfigError("TF_VAR_source_key is not set")
    url = source_url(settings.text("source_url") or "", config.may_be_insecure())
    return SourceClient(url, Basic(key), timeout_s=_SOURCE_S, session=connections(_SOURCE_S), sleep=sleep)


def _short_waits() -> Callable[[float], None]:
    """Return a sleep between the attempts at one short question: at most half a second, and not after a while."""
    until = time.monotonic() + _SOURCE_S

    def wait(seconds: float) -> None:
        if time.monotonic() > until:
            raise SourceUnavailable(f"no answer within {_SOURCE_S:.0f} s")
        time.sleep(min(seconds, 0.5))

    return wait


def _refuse_to_wait(response: requests.Response, **given: object) -> None:
    """Raise Unanswered where the source demands a wait."""
    if response.status_code == 429 or "Retry-After" in response.headers:
        raise Unanswered("the source: over its rate limit; try again in a minute")


def check_source(context: Context, group: Group) -> Iterator[Finding]:
    """Yield whether the source accepts the key; its shortest list is read."""
    if context.settings.text("source_url") is None:
        return  # only the sources with an account are read
    try:
        client = source(context.settings, _short_waits())
        client.session.hooks["response"].append(_refuse_to_wait)
        listing = CURSOR_SIM["repos"].bulk
        path = listing.path if isinstance(listing, SinglePageListing) else "/repos"
        rows = pages.array(path, client.get(path).body)
    except ConfigError as error:
        name = "source_url=https://…" if context.settings.text("source_key") else "source_key=…"
        yield group.unknown(f"the source: {error}", f"export TF_VAR_{name}")
    except RouteNotFound as error:
        yield group.missing(f"the source: {error}", "export TF_VAR_source_url=https://…")
    except RequestRejected as error:
        yield group.missing(f"the source: {_key(error)}", "export TF_VAR_source_key=…")
    except SourceUnavailable as error:
        yield group.missing(f"the source: {error}", "export TF_VAR_source_url=https://…, or start the source")
    except MillraceError as error:
        yield group.missing(f"the source: {error}", "export TF_VAR_source_url=https://…")
    else:
        yield group.ok(f"the source accepts the key: {len(rows)} repositories at {client.base_url}")


def _key(error: Exception) -> str:
    """Return the message with the variable that Terraform reads in place of the function's setting."""
    return str(error).replace("MILLRACE_SOURCE_KEY", "TF_VAR_source_key")


def check_snowflake(context: Context, group: Group) -> Iterator[Finding]:
    """Yield whether the environment signs in to Snowflake with a role that may create everything."""
    found, name = context.snowflake.result(), context.settings.text("snowflake_account")
    if isinstance(found, Account):
        yield group.ok(f"Snowflake {name}: signed in, region {found.region}")
        if found.role == "ACCOUNTADMIN":
            yield group.ok("the role ACCOUNTADMIN may create integrations and resource monitors")
        else:
            yield group.missing(
                f"the role {found.role or 'of the session'} may not create integrations and resource monitors",
                "export SNOWFLAKE_ROLE=ACCOUNTADMIN",
            )
    elif found.is_refused:
        yield group.missing(f"Snowflake {found.why}", _sign_in(context.surroundings))
    else:
        yield group.unknown(f"Snowflake: {found.why}", _sign_in(context.surroundings))


def _sign_in(surroundings: Mapping[str, str]) -> str:
    user = surroundings.get("SNOWFLAKE_USER") or "YOU"
    return (
        f"export SNOWFLAKE_USER={user} SNOWFLAKE_ROLE=ACCOUNTADMIN SNOWFLAKE_AUTHENTICATOR=…, as docs/snowflake.md says"
    )
