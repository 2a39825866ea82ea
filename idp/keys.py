"""The one signing and sealing boundary: a key id (or a use) goes in, a signature comes out (D-9).

Private keys lie in SQL sealed with the key-encryption key (AES-256-GCM, the kid as associated data)
and are unsealed once into cached key objects.
States: next (published, not used), active, retired (published while its signatures live).
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Engine

from idp.conf import Settings
from idp.contracts import JsonObject, Use
from idp.journal import Journal


class KeyRing:
    """The keys of one process; looks for rotation at most every 5 s. OutsideError when SQL is away."""

    def __init__(
        self, engine: Engine, journal: Journal, settings: Settings, now: Callable[[], datetime]
    ) -> None:
        self._parts = (engine, journal, settings, now)

    def ensure(self) -> None:
        """Make what is missing (first start).

        One key per OIDC algorithm, root and leaf for verifier and issuer, the named secrets. Safe
        when several processes start at once.
        """
        raise NotImplementedError

    def sign(self, claims: JsonObject, typ: str, use: Use, algorithm: str = "ES256") -> str:
        """A compact JWS; header alg, typ, and kid (oidc) or x5c (verifier, issuer)."""
        raise NotImplementedError

    def jwks(self) -> Mapping[str, Any]:
        """The public JWKS of use oidc: next, active and lately retired keys."""
        raise NotImplementedError

    def certificates(self, use: Use) -> tuple[bytes, ...]:
        """DER, leaf first, root left out."""
        raise NotImplementedError

    def trust_anchors(self, use: Use) -> tuple[bytes, ...]:
        """DER of our own root for that use."""
        raise NotImplementedError

    def secret(self, name: str) -> bytes:
        """32 stable random bytes for a purpose: "pairwise", "client-secrets"."""
        raise NotImplementedError
