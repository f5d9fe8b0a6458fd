"""Who asks: a token, an installation's token, or an App by a signed JWT."""

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from simulator.github.clock import Clock
from simulator.github.times import instant
from simulator.github.wire import Refusal

DEFAULT_TOKEN = "github_pat_simulated"  # noqa: S105
INSTALLATION = 4_242
INSTALLATION_TOKEN_S = 3600
_LONGEST_JWT_S = 600
_CLOCK_DRIFT_S = 60
Caller = Literal["user", "installation", "app"]
# DigestInfo of SHA-256 (RFC 8017, section 9.2, note 1).
_SHA256_PREFIX = bytes.fromhex("3031300d060960864801650304020105000420")


@dataclass(frozen=True, slots=True)
class App:
    """A GitHub App with the numbers of its public RSA key."""

    id: str
    modulus: int
    exponent: int


@dataclass(slots=True)
class Credentials:
    """The tokens that are valid now."""

    clock: Clock
    token: str = DEFAULT_TOKEN
    app: App | None = None
    selection: Literal["all", "selected"] = "all"
    _minted: dict[str, float] = field(default_factory=dict)
    _revoked: set[str] = field(default_factory=set)

    def caller(self, authorization: str | None) -> Caller:
        """Return the kind of caller; raises Refusal (401) for one that GitHub does not know."""
        if not authorization:
            raise Refusal(401, "Requires authentication")
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() not in ("bearer", "token") or token in self._revoked:
            raise Refusal(401, "Bad credentials")
        if token == self.token:
            return "user"
        if self._minted.get(token, 0.0) > self.clock.now_s():
            return "installation"
        if token.count(".") == 2 and self.app:
            self._check(token, self.app)
            return "app"
        raise Refusal(401, "Bad credentials")

    def mint(self) -> tuple[str, str]:
        """Return a new installation token, and the instant at which it expires."""
        token = f"ghs_{INSTALLATION}_{len(self._minted) + 1:08d}." + "x" * 80 + ".simulated"
        expires_s = self.clock.now_s() + INSTALLATION_TOKEN_S
        self._minted[token] = expires_s
        return token, instant(expires_s)

    def expire(self) -> None:
        """End all tokens that exist now."""
        self._revoked |= {self.token, *self._minted}

    def _check(self, jwt: str, app: App) -> None:
        head, claims, signature = jwt.split(".")
        try:
            header, body = json.loads(_decoded(head)), json.loads(_decoded(claims))
            given = int.from_bytes(_decoded(signature), "big")
        except ValueError:
            raise Refusal(401, "A JSON web token could not be decoded") from None
        if header.get("alg") != "RS256" or not _is_signed(f"{head}.{claims}", given, app):
            raise Refusal(401, "A JSON web token could not be decoded")
        self._check_claims(body, app)

    def _check_claims(self, claims: Mapping[str, Any], app: App) -> None:
        now_s = self.clock.now_s()
        if str(claims.get("iss")) != app.id:
            raise Refusal(401, "Integration not found")
        if not isinstance(claims.get("iat"), int) or claims["iat"] > now_s + _CLOCK_DRIFT_S:
            raise Refusal(
                401, "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued"
            )
        if not isinstance(claims.get("exp"), int) or claims["exp"] <= now_s:
            raise Refusal(401, "'Expiration time' claim ('exp') must be a numeric value representing the future time")
        if claims["exp"] > now_s + _LONGEST_JWT_S:
            raise Refusal(401, "'Expiration time' claim ('exp') is too far in the future")


def _decoded(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


def _is_signed(text: str, signature: int, app: App) -> bool:
    """Return whether the signature is that of RS256 (RSASSA-PKCS1-v1_5, RFC 8017, section 8.2.2)."""
    size = (app.modulus.bit_length() + 7) // 8
    digest = _SHA256_PREFIX + hashlib.sha256(text.encode()).digest()
    expected = b"\x00\x01" + b"\xff" * (size - len(digest) - 3) + b"\x00" + digest
    return 0 < signature < app.modulus and pow(signature, app.exponent, app.modulus).to_bytes(size, "big") == expected
