"""The provider as the method sees it, with everything outside made by the test."""

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from idp.contracts import Attempt, JsonObject, Kit, MobileIdState, Proof, Status, Use
from idp.errors import OutsideError, ProofRejected
from idp.events import Reason
from idp_mobile_id import MobileIdMethod, MobileIdSettings
from tests.fakes import jws
from tests.fakes.certificates import Authority
from tests.fakes.issuer import PERSON, FakeIssuer, IssuedCredential
from tests.fakes.wallet import FakeWallet

BASE_URL = "http://localhost:8000"
FOREIGN = "https://issuer.example"


class Scene:
    """A login that has begun. `own` issues in the provider's name, `foreign` in its own."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.folder = folder
        self.now = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
        self.verifier_root = Authority.root("Verifier root")
        self.verifier = self.verifier_root.leaf(BASE_URL, hosts=("localhost",))
        self.own = FakeIssuer(BASE_URL, list_uri=f"{BASE_URL}/status/1")
        self.foreign = FakeIssuer(FOREIGN)
        self.register: dict[tuple[str, int], Status] = {
            (self.own.list_uri, 5): Status(MobileIdState.LIVE, "mobile-id-5")
        }
        self.served: dict[str, bytes] = {self.foreign.list_uri: self.foreign.status_list(self.now)}
        self.fetched: list[tuple[str, str]] = []
        self.wallet = FakeWallet()
        self.kit = Kit(
            base_url=BASE_URL,
            now=lambda: self.now,
            token=secrets.token_urlsafe,
            sign=self._sign,
            certificates=lambda use: self.verifier.chain if use is Use.VERIFIER else (),
            trust_anchors=lambda use: (self.own.root.der,) if use is Use.ISSUER else (),
            fetch=self._fetch,
            own_status=lambda uri, index: self.register.get((uri, index)),
        )
        self.method = self.open(**settings)
        self.attempt = self.new_attempt()
        self.state = self.method.begin(self.attempt).state
        self.request = self.read_request()

    def open(self, **settings: Any) -> MobileIdMethod:
        """The method with other settings."""
        anchors = self.folder / "foreign.pem"
        anchors.write_bytes(self.foreign.root.pem)
        issuers = ({"issuer": FOREIGN, "trust_anchor_files": (anchors,)},)
        return MobileIdSettings.model_validate({"issuers": issuers, **settings}).open(self.kit)

    def new_attempt(self) -> Attempt:
        return Attempt(
            id=secrets.token_urlsafe(16),
            nonce=secrets.token_urlsafe(32),
            expires_at=self.now + timedelta(seconds=120),
            response_uri=f"{BASE_URL}/vp/{secrets.token_urlsafe(16)}/response",
        )

    def read_request(self, **wallet: str) -> dict[str, Any]:
        """What a careful wallet reads in this login's request object."""
        token = self.method.request_object(self.attempt, self.state, wallet)
        return self.wallet.read_request(
            token, self.verifier_root.der, self.state["client_id"], wallet.get("wallet_nonce")
        )

    def credential(
        self, issuer: FakeIssuer | None = None, person: Mapping[str, Any] = PERSON, **spoilt: Any
    ) -> IssuedCredential:
        return (issuer or self.own).issue(self.wallet.key, self.now, person, **spoilt)

    def present(self, credential: IssuedCredential | None = None, **spoilt: Any) -> str:
        return self.wallet.present(
            credential or self.credential(), self.request, self.now, **spoilt
        )

    def answer(self, presentation: str | None = None, **spoilt: Any) -> dict[str, str]:
        text = self.present() if presentation is None else presentation
        return self.wallet.answer(self.request, text, **spoilt)

    def complete(self, answer: JsonObject | None = None) -> Proof:
        """What the method says to an answer (to a good one, when none is given)."""
        return self.method.complete(
            self.attempt, self.state, self.answer() if answer is None else answer
        )

    def refused(self, answer: JsonObject) -> Reason:
        """Why the method refuses an answer."""
        with pytest.raises(ProofRejected) as caught:
            self.complete(answer)
        return caught.value.reason

    def refused_presentation(self, presentation: str) -> Reason:
        return self.refused(self.answer(presentation))

    def refused_credential(self, **spoilt: Any) -> Reason:
        """Why a presentation of a credential that was issued wrongly is refused."""
        return self.refused_presentation(self.present(self.credential(**spoilt)))

    def _sign(self, claims: JsonObject, typ: str, use: Use) -> str:
        assert use is Use.VERIFIER
        header = {"alg": "ES256", "typ": typ, "x5c": self.verifier.x5c}
        return jws.sign(header, dict(claims), self.verifier.key)

    def _fetch(self, url: str, accept: str) -> bytes:
        self.fetched.append((url, accept))
        if url not in self.served:
            raise OutsideError("fetch", "status 404")
        return self.served[url]
