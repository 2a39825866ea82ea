"""Registered relying parties: what each may do, kept in SQL and cached for a few seconds."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Engine

from idp.journal import Journal


@dataclass(frozen=True, slots=True)
class RelyingParty:
    """One relying party (RFC 7591 names where they exist)."""

    client_id: str
    name_ko: str
    name_en: str
    kind: str = "internal"  # which adapter of the entry points idp.relying_parties
    redirect_uris: tuple[str, ...] = ()
    post_logout_redirect_uris: tuple[str, ...] = ()
    backchannel_logout_uri: str = ""
    response_modes: tuple[str, ...] = ("query",)
    grant_types: tuple[str, ...] = ("authorization_code", "refresh_token")
    token_endpoint_auth_methods: tuple[str, ...] = ("client_secret_basic", "client_secret_post")
    jwks: dict[str, Any] | None = None  # public keys for private_key_jwt
    scope: tuple[str, ...] = ("openid", "profile", "email", "groups", "offline_access")
    audience: str = ""  # of client_credentials tokens, e.g. "<issuer>/api/v1"
    id_token_signed_response_alg: str = "ES256"  # noqa: S105
    minimum_acr: str = "urn:gongmu:acr:2"
    consent: Literal["trusted", "once", "always"] = "trusted"
    sector: str = ""  # host for pairwise subs; default: the host of the redirect URIs
    pkce_required: bool = True
    claims: dict[str, Any] = field(default_factory=dict)  # claims mapping (idp/claims.py)
    disabled: bool = False


class RelyingParties:
    """The register. Secrets are kept as HMAC-SHA256 under a sealed key, compared in constant time."""

    def __init__(
        self, engine: Engine, journal: Journal, secret_key: bytes, now: Callable[[], datetime]
    ) -> None:
        self._engine = engine
        self._journal = journal
        self._secret_key = secret_key
        self._now = now

    def get(self, client_id: str) -> RelyingParty | None:
        """By id, disabled ones too; from a cache at most 2 s old."""
        raise NotImplementedError

    def add(self, party: RelyingParty, actor: str) -> str:
        """Register; gives the client secret, shown this once. ConfError when a URI is not allowed."""
        raise NotImplementedError

    def all(self) -> list[RelyingParty]:
        """Every one, by client_id."""
        raise NotImplementedError

    def secret_is_right(self, client_id: str, secret: str) -> bool:
        """Constant-time."""
        raise NotImplementedError
