"""The credential endpoint's work: a request with a key proof becomes a mobile ID in a wallet."""

from base64 import b64encode
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import structlog

from idp.contracts import (
    MOBILE_ID_CLAIMS,
    MOBILE_ID_CONFIGURATION,
    MOBILE_ID_VCT,
    NUMBER_CLAIM,
    JsonObject,
    MobileId,
    Official,
    SiteKit,
    Use,
)
from idp.errors import AccessDenied, RequestError
from idp.events import Reason
from idp_issuer import proof, sd_jwt
from idp_issuer.offers import Access, Offers
from idp_issuer.wire import NotStrict, json_object, refusal

if TYPE_CHECKING:
    from idp_issuer.settings import IssuerSettings

_KOREA = timezone(timedelta(hours=9))  # no summer time
_JPEG = b"\xff\xd8\xff"
_log = structlog.get_logger("gongmu.issuer")


class Credentials:
    """Issues mobile IDs. Safe for threads."""

    def __init__(self, kit: SiteKit, settings: "IssuerSettings", offers: Offers) -> None:
        self._kit = kit
        self._settings = settings
        self._offers = offers

    def issue(self, access: Access, token: str, body: bytes) -> str:
        """The SD-JWT VC for a credential request (VCI §8.2). RequestError, OutsideError.

        In this order a bad request or proof costs the wallet its nonce at most, never the offer;
        the register lets one request make the mobile ID LIVE, whatever ran beside it.
        """
        try:
            # 1 the request
            request = _request(body)
            check_configuration(request, by_identifier=access.by_identifier)
            # 2 the key proof, and its nonce, once
            key = proof.check(
                _one_proof(request), self._kit.base_url, self._kit.now(), access.client_id
            )
            self._offers.spend_nonce(key.nonce)
            # 3 the person, asked live; the register
            official, mobile_id = self._issue(access.mobile_id, key.thumbprint)
            self._offers.spend(token)
        except RequestError as error:
            error.journey = access.mobile_id
            raise
        # 4 the credential
        return self._credential(official, mobile_id, key.jwk)

    def _issue(self, mobile_id: str, thumbprint: str) -> tuple[Official, MobileId]:
        register = self._kit.mobile_ids
        offered = register.get(mobile_id)
        try:
            # Asked first: once LIVE, nothing but signing may stand before the answer.
            official = register.holder(offered.personnel_number if offered else "")
            return official, register.issue(mobile_id, thumbprint)
        except AccessDenied as error:
            raise refusal(
                "credential_request_denied", "the mobile ID cannot be issued", error.reason
            ) from error

    def _credential(self, official: Official, mobile_id: MobileId, jwk: JsonObject) -> str:
        now = self._kit.now().astimezone(UTC)
        # The day is enough: the second of issuance would tell one person's presentations apart.
        today = now.replace(hour=0, minute=0, second=0, microsecond=0)
        claims = {
            "iss": self._kit.base_url,
            "iat": int(today.timestamp()),
            "exp": int(mobile_id.expires_at.timestamp()),
            "vct": MOBILE_ID_VCT,
            "cnf": {"jwk": dict(jwk)},
            "status": {
                "status_list": {
                    "idx": mobile_id.status_index,
                    "uri": f"{self._kit.base_url}/status/{mobile_id.status_list}",
                }
            },
        }
        return sd_jwt.build(
            claims,
            self._personal(official, now),
            digests=len(MOBILE_ID_CLAIMS),
            token=self._kit.token,
            sign=lambda payload: self._kit.sign(payload, "dc+sd-jwt", Use.ISSUER),
        )

    def _personal(self, official: Official, now: datetime) -> dict[str, str]:
        """What stands on the plastic card; what the directory does not know is left out."""
        values = {
            "name": official.name,
            "agency": official.agency,
            "department": official.department,
            "rank": official.rank,
            NUMBER_CLAIM: official.personnel_number,
            "portrait": self._portrait(official.photo),
            "date_of_issuance": now.astimezone(_KOREA).date().isoformat(),
            "issuing_authority": self._settings.issuing_authority,
        }
        return {claim: values[claim] for claim in MOBILE_ID_CLAIMS if values[claim]}

    def _portrait(self, photo: bytes | None) -> str:
        if not photo:
            return ""
        if len(photo) > self._settings.portrait_max_bytes or not photo.startswith(_JPEG):
            _log.warning("portrait_left_out", bytes=len(photo), jpeg=photo.startswith(_JPEG))
            return ""
        return "data:image/jpeg;base64," + b64encode(photo).decode()


def _request(body: bytes) -> dict[str, Any]:
    try:
        return json_object(body)
    except NotStrict as error:
        raise _invalid_request("the body is not a JSON object") from error


def check_configuration(request: JsonObject, *, by_identifier: bool) -> None:
    """What is asked for is what the token is for: the one mobile ID (§8.2, A-173). RequestError."""
    named = [
        name for name in ("credential_identifier", "credential_configuration_id") if name in request
    ]
    if len(named) != 1 or not isinstance(request[named[0]], str):
        raise _invalid_request(
            "exactly one of credential_identifier, credential_configuration_id is needed"
        )
    if "credential_response_encryption" in request:
        raise refusal(
            "invalid_encryption_parameters", "encryption is not offered", Reason.BAD_REQUEST
        )
    if named[0] == "credential_identifier":
        if not by_identifier or request[named[0]] != MOBILE_ID_CONFIGURATION:
            raise refusal(
                "unknown_credential_identifier", "not of this access token", Reason.BAD_REQUEST
            )
        return
    if by_identifier:  # the token response named identifiers, so one must be used
        raise _invalid_request("credential_identifier is needed with this access token")
    if request[named[0]] != MOBILE_ID_CONFIGURATION:
        raise refusal(
            "unknown_credential_configuration", "there is no such configuration", Reason.BAD_REQUEST
        )


def _one_proof(request: JsonObject) -> str:
    """The one key proof: one mobile ID, one phone, so never several (§8.2, A-171)."""
    proofs = request.get("proofs")
    if not isinstance(proofs, dict) or proofs.keys() != {"jwt"}:
        raise refusal("invalid_proof", "proofs must hold jwt alone", Reason.HOLDER_PROOF)
    jwts = proofs["jwt"]
    if not isinstance(jwts, list) or len(jwts) != 1 or not isinstance(jwts[0], str):
        raise refusal("invalid_proof", "exactly one proof is needed", Reason.HOLDER_PROOF)
    return jwts[0]


def _invalid_request(public: str) -> RequestError:
    return refusal("invalid_credential_request", public, Reason.BAD_REQUEST)
