"""What the wallet answers, to us or through the browser: every check, in the order of OpenID4VP 1.0 §8.6.

Nothing is believed because the wallet was asked for it: format, integrity, what was asked, holder,
freshness and status are all verified here (§14.9), after decryption as before it (§14.5).
"""

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from idp.contracts import Attempt, Identifier, JsonObject, Proof
from idp.errors import ProofDeclined
from idp.events import Reason
from idp_mobile_id import jose, jwe, sd_jwt
from idp_mobile_id.request import BROWSER_PROTOCOL, QUERY_ID, RequestState
from idp_mobile_id.status import Statuses
from idp_mobile_id.trust import Trust

ANSWER_LIMIT = 256 * 1024  # characters of the whole answer (E7)
CLOCK_SKEW_S = 60
# Plain ASCII, so that no look-alike letter and no padding makes a second person.
_NUMBER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
# VP §8.5 and RFC 6749 §4.1.2.1; only these words reach the log.
_WALLET_ERRORS = frozenset(
    {
        "invalid_request",
        "invalid_client",
        "invalid_scope",
        "vp_formats_not_supported",
        "invalid_request_uri_method",
        "invalid_transaction_data",
        "wallet_unavailable",
        "unauthorized_client",
        "server_error",
        "temporarily_unavailable",
    }
)


@dataclass(frozen=True, slots=True)
class Policy:
    """What the configuration decides about answers."""

    vct: str
    number_claim: str
    past_s: int  # how old a key-binding JWT may be
    future_s: int


@dataclass(frozen=True, slots=True)
class Verifier:
    """Verifies answers. Holds only what is the same for all logins."""

    policy: Policy
    trust: Trust
    statuses: Statuses

    def verify(
        self, attempt: Attempt, request: RequestState, answer: JsonObject, now: datetime
    ) -> Proof:
        """The proof in an answer (untrusted form fields). ProofRejected, ProofDeclined."""
        # 1. The answer is whole, encrypted to this request's key, and carries its state.
        payload = read_answer(answer, request)
        expected = self._expect(attempt, request.client_id, now)
        return self._prove(payload, expected, now, frozenset())

    def verify_in_browser(
        self,
        attempt: Attempt,
        request: RequestState,
        answer: JsonObject,
        origin: str,
        now: datetime,
    ) -> Proof:
        """The same for what a browser brought to a page of `origin` (VP Appendix A.4)."""
        # 1. The answer is to the signed request, and encrypted to its key.
        payload = read_browser_answer(answer, request)
        # The browser told the wallet where it was asked: no other site's answer is of use here.
        expected = self._expect(attempt, f"origin:{origin}", now)
        return self._prove(payload, expected, now, frozenset({"dc_api"}))

    def _prove(
        self,
        payload: Mapping[str, Any],
        expected: sd_jwt.Expected,
        now: datetime,
        means: frozenset[str],
    ) -> Proof:
        # 2. It holds one presentation for what was asked; others are dropped unread.
        presentation = sd_jwt.split(one_presentation(payload))
        # 3. The credential is signed by an issuer whom we trust.
        claims = self._open(presentation, now)
        # 4. It is what was asked for, and valid now.
        self._check_type(claims)
        check_times(claims, int(now.timestamp()))
        number = self._read_number(claims)
        # 5. Its holder made the presentation, for this request, just now.
        sd_jwt.check_key_binding(presentation, claims.get("cnf"), expected)
        # 6. It has been neither revoked nor suspended. Last: only a real holder makes us ask.
        credential = self.statuses.check(claims, now)
        return Proof(
            identifier=Identifier(issuer=claims["iss"], number=number),
            amr=frozenset({"pop"}),
            means=means,
            at=now,
            credential=credential,
        )

    def _open(self, presentation: sd_jwt.Presentation, now: datetime) -> dict[str, Any]:
        """The verified claims, with the disclosed ones among them (RFC 9901 §7.1)."""
        jws = presentation.credential
        issuer = jws.claims.get("iss")
        if not isinstance(issuer, str):
            jose.reject(Reason.ISSUER_UNTRUSTED, "no iss")
        signer = self.trust.signer(issuer, jws.header.get("x5c"), now)
        if not signer.speaks_for(issuer):
            jose.reject(Reason.ISSUER_CHAIN, "the certificate does not name the issuer")
        jose.verify_es256(jws, signer.key, Reason.ISSUER_SIGNATURE)
        return sd_jwt.disclose(jws.claims, presentation.disclosures)

    def _check_type(self, claims: Mapping[str, Any]) -> None:
        if claims.get("vct") != self.policy.vct:
            jose.reject(Reason.CREDENTIAL_TYPE, "another type of credential")

    def _read_number(self, claims: Mapping[str, Any]) -> str:
        number = claims.get(self.policy.number_claim)
        if not isinstance(number, str) or not _NUMBER.fullmatch(number):
            jose.reject(Reason.CREDENTIAL_CLAIMS, "no personnel number of acceptable form")
        return number

    def _expect(self, attempt: Attempt, audience: str, now: datetime) -> sd_jwt.Expected:
        return sd_jwt.Expected(
            nonce=attempt.nonce,
            audience=audience,
            now=int(now.timestamp()),
            past_s=self.policy.past_s,
            future_s=self.policy.future_s,
        )


def read_answer(answer: JsonObject, request: RequestState) -> Mapping[str, Any]:
    """The authorization response: {"vp_token": ..., "state": ...} (VP §8.2, §8.3).

    An error of the wallet may come unencrypted; it counts only with our state (A-154).
    """
    fields = {name: value for name, value in answer.items() if isinstance(value, str)}
    if len(fields) != len(answer) or sum(map(len, fields.values())) > ANSWER_LIMIT:
        jose.reject(Reason.PROOF_MALFORMED, "the answer is too large, or no form")
    payload: Mapping[str, Any] = fields
    if "response" in fields and request.encrypted:
        plaintext = jwe.decrypt(fields["response"], request.key)
        payload = jose.load_object(plaintext, Reason.PROOF_MALFORMED)
    elif "error" not in fields and request.encrypted:
        jose.reject(Reason.PROOF_UNENCRYPTED, "the answer is not encrypted")
    check_state(payload.get("state"), request.state)
    if "error" in payload:
        refuse_error(payload["error"])
    return payload


def read_browser_answer(answer: JsonObject, request: RequestState) -> Mapping[str, Any]:
    """The authorization response in a DigitalCredential: {"vp_token": ...} (VP Appendix A.4).

    `credential` is the JSON text of {"protocol": ..., "data": {"response": <JWE>}}. The login's cookie
    stands for `state`.
    """
    text = answer.get("credential")
    if not isinstance(text, str) or len(text) > ANSWER_LIMIT:
        jose.reject(Reason.PROOF_MALFORMED, "the answer is too large, or none")
    credential = jose.load_object(text.encode("utf-8", "replace"), Reason.PROOF_MALFORMED)
    if credential.get("protocol") != BROWSER_PROTOCOL:  # nothing unsigned was asked
        jose.reject(Reason.PROOF_QUERY, "an answer to another protocol")
    data = credential.get("data")
    if not isinstance(data, dict):
        jose.reject(Reason.PROOF_MALFORMED, "the answer's data is no object")
    if "error" in data:
        refuse_error(data["error"])
    if not isinstance(data.get("response"), str):
        jose.reject(Reason.PROOF_UNENCRYPTED, "the answer is not encrypted")
    plaintext = jwe.decrypt(data["response"], request.key)
    payload = jose.load_object(plaintext, Reason.PROOF_MALFORMED)
    if "error" in payload:
        refuse_error(payload["error"])
    return payload


def check_state(found: Any, ours: str) -> None:
    """Does nothing when the answer carries this request's state (R-032)."""
    if not isinstance(found, str) or not hmac.compare_digest(found.encode(), ours.encode()):
        jose.reject(Reason.PROOF_STATE, "the state is not this request's")


def refuse_error(error: Any) -> None:
    """ProofDeclined when the person said no, else ProofRejected (VP §8.5)."""
    if error == "access_denied":
        raise ProofDeclined("the person declined in the wallet")
    known = isinstance(error, str) and error in _WALLET_ERRORS
    jose.reject(Reason.PROOF_QUERY, f"the wallet answered {error if known else 'an unknown error'}")


def one_presentation(payload: Mapping[str, Any]) -> str:
    """The one presentation for our query (VP §8.1); several would leave open who it is (A-161)."""
    token = payload.get("vp_token")
    if isinstance(token, str):  # a form field holds it as JSON text
        token = jose.load_json(token.encode("utf-8", "replace"), Reason.PROOF_MALFORMED)
    if not isinstance(token, dict):
        jose.reject(Reason.PROOF_MALFORMED, "vp_token is not an object")
    presentations = token.get(QUERY_ID)
    if not isinstance(presentations, list) or len(presentations) != 1:
        jose.reject(Reason.PROOF_QUERY, "not one presentation of what was asked")
    if not isinstance(presentations[0], str):
        jose.reject(Reason.PROOF_QUERY, "the presentation is not an SD-JWT")
    return presentations[0]


def check_times(claims: Mapping[str, Any], now: int) -> None:
    """`exp`, `nbf`, `iat` of the credential; a mobile ID always ends (A-151)."""
    expires = jose.moment(claims, "exp", Reason.CREDENTIAL_EXPIRED)
    if expires is None or now >= expires:
        jose.reject(Reason.CREDENTIAL_EXPIRED, "the credential has expired, or never would")
    for name in ("nbf", "iat"):
        begins = jose.moment(claims, name, Reason.CREDENTIAL_NOT_YET)
        if begins is not None and now + CLOCK_SKEW_S < begins:
            jose.reject(Reason.CREDENTIAL_NOT_YET, f"{name} is to come")
