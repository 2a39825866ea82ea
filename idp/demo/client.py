"""An OpenID Connect client that uses nothing but discovery: Authlib over httpx, joserfc for tokens."""

import hmac
import ssl
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

import httpx
from authlib.deprecate import AuthlibDeprecationWarning
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from idp import randomness

with warnings.catch_warnings():
    # Authlib 1.9 would rather have httpx2 than httpx, which the rest of Gongmu uses.
    warnings.simplefilter("ignore", AuthlibDeprecationWarning)
    from authlib.common.errors import AuthlibBaseError
    from authlib.integrations.httpx_client import OAuth2Client

_SCOPE = "openid profile email groups"
_TIMEOUT_S = 10
_LEEWAY_S = 60
_ALGORITHMS = ["ES256", "RS256"]
_CLAIMS = jwt.JWTClaimsRegistry
_LOGOUT = "http://schemas.openid.net/event/backchannel-logout"


class SignInFailed(Exception):
    """The sign-in did not succeed; `code` is for the page, the text for nobody."""

    def __init__(self, code: str, description: str = "", status: int = 400) -> None:
        super().__init__(code)
        self.code = code
        self.description = description
        self.status = status


class Client:
    """One relying party's side of OpenID Connect."""

    def __init__(
        self, issuer: str, client_id: str, secret: str, redirect_uri: str, ca_file: str | None
    ) -> None:
        self._issuer = issuer
        self._id = client_id
        self._secret = secret
        self._redirect_uri = redirect_uri
        self._trust = ssl.create_default_context(cafile=ca_file) if ca_file else True
        self._metadata: dict[str, Any] = {}
        self._keys: KeySet | None = None

    def start(self, language: str) -> tuple[str, dict[str, Any]]:
        """Where to send the browser, and what to remember until it comes back."""
        metadata = self._discover()
        pending = {"nonce": randomness.token(), "verifier": randomness.token(48)}
        with self._session() as session:
            address, pending["state"] = session.create_authorization_url(
                metadata["authorization_endpoint"],
                code_verifier=pending["verifier"],
                nonce=pending["nonce"],
                ui_locales=language,
            )
        return str(address), pending

    def finish(
        self, pending: dict[str, Any] | None, answer: Mapping[str, str], address: str
    ) -> dict[str, Any]:
        """The session of who came back. SignInFailed."""
        # 1. it is the answer to what this browser began (OIDC Core §3.1.2.7, RFC 9207 §2.4)
        if pending is None or not _same(answer.get("state", ""), pending["state"]):
            raise SignInFailed("state")
        if answer.get("iss", self._issuer) != self._issuer:
            raise SignInFailed("iss")
        if "error" in answer:
            raise SignInFailed(answer["error"][:80], answer.get("error_description", "")[:200])
        # 2. the code becomes tokens (§3.1.3)
        metadata = self._discover()
        with self._session() as session:
            tokens = session.fetch_token(
                metadata["token_endpoint"],
                authorization_response=address,
                code_verifier=pending["verifier"],
                redirect_uri=self._redirect_uri,
            )
            # 3. the ID token is genuine, for us, and answers our request (§3.1.3.7)
            claims = self._verify(str(tokens.get("id_token", "")), pending["nonce"])
            # 4. more about the person, about this person (§5.3.2)
            person = session.get(metadata["userinfo_endpoint"]).raise_for_status().json()
        if person.get("sub") != claims["sub"]:
            raise SignInFailed("sub")
        return {"id_token": tokens["id_token"], "claims": {**claims, **person}}

    def ended(self, logout_token: str) -> dict[str, str]:
        """Whose session has ended: `sub`, `sid` or both (Back-Channel Logout §2.6). SignInFailed."""
        header, claims = self._decode(
            logout_token,
            jti={"essential": True},
            events={"essential": True},
        )
        found = {name: claims[name] for name in ("sub", "sid") if isinstance(claims.get(name), str)}
        events = claims["events"]
        told = isinstance(events, dict) and isinstance(events.get(_LOGOUT), dict)
        if header.get("typ", "").lower() != "logout+jwt" or not told:
            raise SignInFailed("logout_token")
        if not found or "nonce" in claims:  # an ID token is no logout token (§2.4)
            raise SignInFailed("logout_token")
        return found

    def logout_address(self, session: Mapping[str, Any], back: str) -> str:
        """Where the browser goes to sign out at the provider too (RP-Initiated Logout §2)."""
        query = {
            "id_token_hint": session["id_token"],
            "post_logout_redirect_uri": back,
            "client_id": self._id,
        }
        endpoint = self._discover().get("end_session_endpoint")
        return f"{endpoint}?{urlencode(query)}" if endpoint else back

    @contextmanager
    def _session(self) -> Iterator[Any]:
        """An Authlib session; whatever the provider or the network does wrong is SignInFailed."""
        session = OAuth2Client(
            self._id,
            self._secret,
            scope=_SCOPE,
            redirect_uri=self._redirect_uri,
            code_challenge_method="S256",
            verify=self._trust,
            timeout=_TIMEOUT_S,
        )
        try:
            with session:
                yield session
        except AuthlibBaseError as error:
            raise SignInFailed(str(error.error), str(error.description or "")) from error
        except (httpx.HTTPError, ValueError) as error:
            raise SignInFailed("provider_unavailable", status=502) from error

    def _discover(self) -> dict[str, Any]:
        """The provider's metadata, asked once (Discovery §4)."""
        if not self._metadata:
            found = self._fetch(f"{self._issuer}/.well-known/openid-configuration")
            if found.get("issuer") != self._issuer:
                raise SignInFailed("issuer", status=502)
            self._metadata = found
        return self._metadata

    def _verify(self, id_token: str, nonce: str) -> dict[str, Any]:
        mine = {"essential": True, "value": nonce}
        return self._decode(id_token, sub={"essential": True}, nonce=mine)[1]

    def _decode(self, text: str, **rules: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """Header and claims of a token of this provider, for us, within its time."""
        try:
            token = jwt.decode(text, self._key_set(), algorithms=_ALGORITHMS)
            _CLAIMS(
                now=int(time.time()),
                leeway=_LEEWAY_S,
                iss={"essential": True, "value": self._issuer},
                aud={"essential": True, "value": self._id},
                exp={"essential": True},
                iat={"essential": True},
                **rules,
            ).validate(token.claims)
        except (JoseError, ValueError) as error:
            self._keys = None  # perhaps the provider has new ones: the next sign-in asks again
            raise SignInFailed("token") from error
        return dict(token.header), dict(token.claims)

    def _key_set(self) -> KeySet:
        if self._keys is None:
            self._keys = KeySet.import_key_set(self._fetch(self._discover()["jwks_uri"]))  # type: ignore[arg-type]
        return self._keys

    def _fetch(self, address: str) -> dict[str, Any]:
        try:
            answer = httpx.get(address, verify=self._trust, timeout=_TIMEOUT_S).raise_for_status()
            found: dict[str, Any] = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise SignInFailed("provider_unavailable", status=502) from error
        return found


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())
