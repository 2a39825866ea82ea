"""The mobile ID as a way to sign in: an OpenID4VP 1.0 verifier under HAIP 1.0.

`MobileIdSettings` is the table `[methods.mobile_id]`; `open` builds the method. How it goes:

1. `begin` makes this request's `state` and encryption key; the core keeps them with the login.
2. `link_query` is what the QR says: who asks, and where the request lies. Never the request itself.
3. `request_object` is the signed request that the wallet fetches (`request.py`).
4. `complete` verifies what the wallet posts (`response.py`): `jwe.py` decrypts, `sd_jwt.py` takes the
   presentation apart, `trust.py` knows whose signature counts, `status.py` whether the mobile ID is
   still good. All of them read through `jose.py`, which is strict.

Where a browser can ask a wallet itself, `browser_request` and `complete_in_browser` stand for 2 to 4.
"""

from pathlib import Path
from typing import Annotated

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from idp.contracts import (
    MOBILE_ID_VCT,
    NUMBER_CLAIM,
    Attempt,
    JsonObject,
    Kit,
    Proof,
    Step,
    Use,
)
from idp_mobile_id import request
from idp_mobile_id.request import ClientIdPrefix, RequestState, ResponseMode
from idp_mobile_id.response import Policy, Verifier
from idp_mobile_id.status import Statuses
from idp_mobile_id.trust import Trust


def _read_anchors(path: Path) -> tuple[bytes, ...]:
    """The certificates of a PEM file as DER. ValueError."""
    try:
        found = x509.load_pem_x509_certificates(path.read_bytes())
    except OSError as error:
        raise ValueError(f"cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise ValueError("holds no certificates in PEM") from error
    return tuple(anchor.public_bytes(Encoding.DER) for anchor in found)


def _anchor_file(path: Path) -> Path:
    _read_anchors(path)
    return path


AnchorFile = Annotated[Path, AfterValidator(_anchor_file)]
Fingerprint = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class TrustedIssuer(BaseModel):
    """Another body whose mobile IDs are taken, and the roots that vouch for it alone."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    issuer: str = Field(pattern=r"^https?://[!-~]+$", description="the credential's iss, exactly")
    trust_anchor_files: tuple[AnchorFile, ...] = Field(min_length=1, description="PEM files")


class MobileIdSettings(BaseModel):
    """The table `[methods.mobile_id]`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    vct: str = Field(MOBILE_ID_VCT, description="the type of credential that is asked for")
    number_claim: str = Field(NUMBER_CLAIM, description="the claim with the personnel number")
    trust_own_issuer: bool = Field(True, description="take mobile IDs that this provider issued")
    issuers: tuple[TrustedIssuer, ...] = Field((), description="other issuers, each with its roots")
    refused_certificates: tuple[Fingerprint, ...] = Field(
        (), description="SHA-256 of issuers' certificates that no longer count, in hexadecimal"
    )
    response_mode: ResponseMode = Field(
        "direct_post.jwt", description="direct_post leaves answers unencrypted: not HAIP"
    )
    client_id_prefix: ClientIdPrefix = Field(
        "x509_hash", description="x509_san_dns is for wallets that know no other: not HAIP"
    )
    key_binding_past_s: int = Field(
        300, ge=30, le=540, description="how old the holder's signature may be"
    )
    key_binding_future_s: int = Field(
        60, ge=30, le=110, description="how far a phone's clock may be ahead"
    )
    require_status: bool = Field(True, description="refuse credentials that cannot be revoked")

    @model_validator(mode="after")
    def _someone_is_trusted(self) -> "MobileIdSettings":
        names = [trusted.issuer for trusted in self.issuers]
        if len(set(names)) != len(names):
            raise ValueError("issuers names one issuer twice")
        if not names and not self.trust_own_issuer:
            raise ValueError("nobody's mobile IDs are taken: name issuers or trust_own_issuer")
        return self

    def open(self, kit: Kit) -> "MobileIdMethod":
        """Build the method."""
        return MobileIdMethod(self, kit)


class MobileIdMethod:
    """`contracts.WalletMethod` and `contracts.BrowserWalletMethod`; keeps nothing between two calls."""

    def __init__(self, settings: MobileIdSettings, kit: Kit) -> None:
        self._settings = settings
        self._kit = kit
        self._others = {
            trusted.issuer: tuple(
                der for path in trusted.trust_anchor_files for der in _read_anchors(path)
            )
            for trusted in settings.issuers
        }
        trust = Trust(self._anchors, frozenset(settings.refused_certificates))
        policy = Policy(
            vct=settings.vct,
            number_claim=settings.number_claim,
            past_s=settings.key_binding_past_s,
            future_s=settings.key_binding_future_s,
        )
        statuses = Statuses(kit, trust, required=settings.require_status)
        self._verifier = Verifier(policy, trust, statuses)

    def begin(self, attempt: Attempt) -> Step:
        """A fresh state and key for this request; nothing of them goes to the page."""
        del attempt
        state = request.new_state(self._kit, self._client_id(), self._settings.response_mode)
        return Step(page={}, state=state.to_json())

    def link_query(self, request_uri: str) -> str:
        """The query of the link in the QR (VP §5)."""
        return request.link_query(self._client_id(), request_uri)

    def request_object(self, attempt: Attempt, state: JsonObject, wallet: JsonObject) -> str:
        """The signed request object; RequestError when the wallet's own fields are malformed."""
        nonce = request.read_wallet_nonce(wallet)
        body = request.claims(attempt, RequestState.from_json(state), self._query(), nonce)
        return self._kit.sign(body, request.REQUEST_TYP, Use.VERIFIER)

    def complete(self, attempt: Attempt, state: JsonObject, answer: JsonObject) -> Proof:
        """Verify the wallet's answer. ProofRejected, ProofDeclined."""
        return self._verifier.verify(
            attempt, RequestState.from_json(state), answer, self._kit.now()
        )

    def browser_request(self, attempt: Attempt, state: JsonObject) -> JsonObject:
        """DigitalCredentialRequestOptions for a page of ours (VP Appendix A.3.2)."""
        body = request.browser_claims(
            attempt, RequestState.from_json(state), self._query(), self._origin()
        )
        signed = self._kit.sign(body, request.REQUEST_TYP, Use.VERIFIER)
        return {"requests": [{"protocol": request.BROWSER_PROTOCOL, "data": {"request": signed}}]}

    def complete_in_browser(self, attempt: Attempt, state: JsonObject, answer: JsonObject) -> Proof:
        """Verify what the browser brought. ProofRejected, ProofDeclined."""
        return self._verifier.verify_in_browser(
            attempt, RequestState.from_json(state), answer, self._origin(), self._kit.now()
        )

    def _origin(self) -> str:
        return request.origin_of(self._kit.base_url)

    def _query(self) -> request.Query:
        return request.Query(
            vct=self._settings.vct,
            number_claim=self._settings.number_claim,
            response_mode=self._settings.response_mode,
            authorities=self._authorities(),
        )

    def _client_id(self) -> str:
        return request.client_id(self._kit, self._settings.client_id_prefix)

    def _anchors(self, issuer: str) -> tuple[bytes, ...] | None:
        """The roots of exactly this issuer; our own are asked each time, since they may change."""
        own: tuple[bytes, ...] = ()
        if issuer == self._kit.base_url and self._settings.trust_own_issuer:
            own = self._kit.trust_anchors(Use.ISSUER)
        return (*own, *self._others.get(issuer, ())) or None

    def _authorities(self) -> tuple[bytes, ...]:
        """Every root whose mobile IDs are taken."""
        names = dict.fromkeys([self._kit.base_url, *self._others])
        return tuple(der for name in names for der in self._anchors(name) or ())


__all__ = ["MobileIdMethod", "MobileIdSettings", "TrustedIssuer"]
