"""Addresses of a source API, and names in it: what is one, and which addresses name this machine."""

import ipaddress
import re
from urllib.parse import urlsplit

from millrace.errors import ConfigError
from millrace.sources import SOURCES, Source

_ACCOUNT = re.compile("[a-z0-9][a-z0-9-]{0,38}")
_REPOSITORY = re.compile(r"[A-Za-z0-9._-]{1,100}")
OWNER_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,98}[A-Za-z0-9])?")
"""The name of a user or an organisation on GitHub, also of one that a company manages (with `_`)."""
_LOOPBACK = ipaddress.IPv4Network("127.0.0.0/8")


def source_url(url: str, may_be_insecure: bool) -> str:
    """Return the address of a source API without a slash at its end.

    Raises ConfigError when it is not an address, contains a key, or would send the key over plain http to another
    machine.
    """
    name, url = "MILLRACE_SOURCE_URL", url.rstrip("/")
    try:
        parts = urlsplit(url)
        has_host = bool(parts.hostname) and parts.port != 0  # reading the port checks it
    except ValueError:
        has_host = False
    is_plain = url.isprintable() and not set(url) & set(" \\")  # parsers differ in what they drop, and so in the host
    is_bare = has_host and "@" not in parts.netloc and not parts.query and not parts.fragment
    if not is_plain or not is_bare or parts.scheme not in ("http", "https"):
        raise ConfigError(f"{name}: expected http://host:port or https://host, without a key in it")
    if parts.scheme == "http" and not may_be_insecure and not is_loopback(url):
        raise ConfigError(
            f"{name}: the key would go to {parts.hostname!r} over plain http, where others can read it; "
            "expected https://, or allow it by --insecure-http or MILLRACE_INSECURE_HTTP=1"
        )
    return url


def source_named(name: str) -> Source:
    """Return the source of a name; ConfigError when there is none."""
    source = next((each for each in SOURCES if each == name), None)
    if source is None:
        raise ConfigError(f"MILLRACE_SOURCE: expected {' or '.join(SOURCES)}, got {name!r}")
    return source


def account(text: str) -> str:
    """Return the name of an account in lower case; ConfigError when it is none."""
    name = text.strip().lower()
    if not _ACCOUNT.fullmatch(name):
        raise ConfigError(
            "MILLRACE_ACCOUNT: expected the name of an organisation or a user, like acme: at most 39 letters, digits "
            f"and hyphens, got {text!r}"
        )
    return name


def repositories(text: str) -> tuple[str, ...]:
    """Return the names of a list with commas; ConfigError when one is no name of a repository."""
    names = tuple(filter(None, (name.strip() for name in text.split(","))))
    for name in names:
        if not _REPOSITORY.fullmatch(name):
            raise ConfigError(f"MILLRACE_REPOSITORIES: expected names of repositories, like shop,web, got {name!r}")
    return names


def is_loopback(url: str) -> bool:
    """Return whether a URL certainly names this machine: localhost, 127.0.0.0/8 or ::1 in their usual forms."""
    host = urlsplit(url).hostname or ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost"
    return address in _LOOPBACK or address == ipaddress.IPv6Address("::1")


def owner_names(name: str, text: str) -> frozenset[str] | None:
    """Return a list of owners in lower case, of a text with commas between them; None for an empty text.

    Raises ConfigError, with the name of the setting, for what no owner is named.
    """
    if not text.strip():
        return None
    names = [part.strip() for part in text.split(",") if part.strip()]
    bad = next((one for one in names if not OWNER_NAME.fullmatch(one)), None if names else text)
    if bad is not None:
        raise ConfigError(f"{name}: expected owners of repositories like acme,other, got {bad!r}")
    return frozenset(one.lower() for one in names)
