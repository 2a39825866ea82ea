"""Refresh tokens: a family per grant, rotated at each use, with reuse detection (RFC 9700 §4.14.2, D-2).

A token is `<grant id>.<random>.<mac>`. The mac tells a token that we once gave out from a guess, so
that a guess ends nobody's family. The family's current token stands in the short-lived store; its birth
and end stand in SQL, as the grant. Rotation is one compare-and-set. The answer of the last rotation is
kept for the grace, sealed with a key that only the former token holds: a client whose answer was lost
asks again with it and gets the same answer. After a flush of the store nothing is known: invalid_grant.
"""

import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import TypeAdapter, ValidationError

from idp import browser, randomness
from idp.errors import AccessDenied, RequestError
from idp.events import Event, Kind, Reason
from idp.login import digest
from idp.oidc import gate, minting
from idp.oidc.minting import Sitting
from idp.oidc.parameters import Parameters
from idp.oidc.token_answers import invalid_grant, of_access_token, record_issued
from idp.relying_parties import RelyingParty
from idp.services import services

MAX_RACES = 3  # how often a lost compare-and-set is looked at again


@dataclass(frozen=True, slots=True)
class Family:
    """What the store keeps of a family: digests, and one sealed answer."""

    current: str
    rotated_at: datetime
    former: str = ""
    answer: str = ""  # of the rotation from `former` to `current`; only `former` opens it


@dataclass(frozen=True, slots=True)
class _Presented:
    """A token that we made, for a grant that lives and is the client's own."""

    value: str
    sitting: Sitting


_ADAPTER: TypeAdapter[Family] = TypeAdapter(Family)


def is_granted(sitting: Sitting) -> bool:
    """Whether this grant comes with a refresh token: registered for it, and asked for (OIDC Core §11)."""
    return "refresh_token" in sitting.party.grant_types and "offline_access" in sitting.scope


def begin(sitting: Sitting) -> str:
    """The first token of a family."""
    token = _new_token(sitting.grant)
    family = Family(digest(token), services().now())
    # Kept for the whole life: idleness is judged by `rotated_at`, since a compare-and-set keeps the time.
    services().short.put(
        f"family:{sitting.grant}", _dump(family), services().settings.lifetimes.refresh_total_s
    )
    return token


def refresh(given: Parameters, party: RelyingParty) -> dict[str, Any]:
    """The answer to a refresh token (RFC 6749 §6). RequestError("invalid_grant") otherwise."""
    value = given.get("refresh_token")
    if value is None:
        raise RequestError("invalid_request", "refresh_token is missing")
    presented = _presented(value, party)  # 1. ours, alive, the client's own, past the gate
    presented = _narrowed(presented, given)  # 2. no wider than granted
    for _ in range(MAX_RACES):
        text = services().short.get(f"family:{presented.sitting.grant}")
        if text is None:
            raise invalid_grant(Reason.GRANT_UNKNOWN, party)  # 3. the store knows the family
        answer = _rotate_or_repeat(presented, text)  # 4. current, or lately current
        if answer is not None:
            return answer
    raise invalid_grant(Reason.GRANT_UNKNOWN, party)


def _presented(value: str, party: RelyingParty) -> _Presented:
    grant_id = grant_of(value)
    found = services().sessions.live_grant(grant_id) if grant_id else None
    if found is None:
        raise invalid_grant(Reason.GRANT_ENDED if grant_id else Reason.GRANT_UNKNOWN, party)
    grant, session = found
    if grant.client_id != party.client_id:  # a token of ours in another client's hands
        raise _reused(grant_id, party, Reason.GRANT_CLIENT)
    try:
        official = gate.admit(session, party)
    except AccessDenied as error:
        raise invalid_grant(error.reason, party) from error
    return _Presented(value, Sitting(party, session, official, grant.id, grant.scope))


def _narrowed(presented: _Presented, given: Parameters) -> _Presented:
    """RFC 6749 §6: the scope of this access token may be less than was granted, never more."""
    if "scope" not in given:
        return presented
    sitting = presented.sitting
    wanted = tuple(dict.fromkeys(given["scope"].split(" ")))
    if not set(wanted) <= set(sitting.scope):
        raise RequestError("invalid_scope", "the scope is wider than granted", reason=Reason.SCOPE)
    return replace(presented, sitting=replace(sitting, scope=wanted))


def _rotate_or_repeat(presented: _Presented, text: str) -> dict[str, Any] | None:
    """The new answer, or the same one again; None when another request was quicker."""
    lifetimes = services().settings.lifetimes
    party, grant = presented.sitting.party, presented.sitting.grant
    try:
        family = _ADAPTER.validate_json(text)
    except ValidationError as error:  # written by another version of ours
        raise invalid_grant(Reason.GRANT_UNKNOWN, party) from error
    age_s = (services().now() - family.rotated_at).total_seconds()
    presented_digest = digest(presented.value)
    if hmac.compare_digest(presented_digest, family.current):
        if age_s >= lifetimes.refresh_idle_s:
            raise invalid_grant(Reason.GRANT_EXPIRED, party)
        return _rotate(presented, text)
    is_former = hmac.compare_digest(presented_digest, family.former)
    if is_former and age_s < lifetimes.refresh_grace_s:
        answer = _unseal(family.answer, presented.value)
        record_issued(party, presented.sitting)  # who made it may have died before its event
        return answer
    raise _reused(grant, party, Reason.GRANT_REPLAYED)


def _rotate(presented: _Presented, text: str) -> dict[str, Any] | None:
    sitting = presented.sitting
    access = minting.access_token(sitting)
    token = _new_token(sitting.grant)
    answer = {**of_access_token(access, sitting.scope), "refresh_token": token}
    if "openid" in sitting.scope:
        answer["id_token"] = minting.id_token(sitting, None, access)  # OIDC Core §12.2: no nonce
    family = Family(
        current=digest(token),
        rotated_at=services().now(),
        former=digest(presented.value),
        answer=_seal(answer, presented.value),
    )
    if not services().short.replace(f"family:{sitting.grant}", text, _dump(family)):
        return None
    record_issued(sitting.party, sitting)
    return answer


def _reused(grant_id: str, party: RelyingParty, reason: Reason) -> RequestError:
    """Two hold tokens of one family: it ends for both (RFC 9700 §4.14.2)."""
    services().sessions.end_grant(
        grant_id,
        Event(
            Kind.REFRESH_REUSED,
            reason=reason,
            relying_party=party.client_id,
            address=browser.address(),
            network=browser.network(),
            data={"grant": grant_id},
        ),
    )
    error = invalid_grant(reason, party)
    error.recorded = True
    return error


def _new_token(grant_id: str) -> str:
    body = f"{grant_id}.{randomness.token(32)}"
    return f"{body}.{_mac(body)}"


def grant_of(value: str) -> str:
    """The grant of a token that we made; "" for anything else."""
    body, _, mac = value.rpartition(".")
    if len(value) > 256 or body.count(".") != 1:
        return ""
    genuine = hmac.compare_digest(_mac(body).encode(), mac.encode())
    return body.partition(".")[0] if genuine else ""


def _mac(body: str) -> str:
    key = services().keys.secret("refresh-tokens")
    return urlsafe_b64encode(hmac.digest(key, body.encode(), "sha256")[:16]).decode().rstrip("=")


def _seal(answer: dict[str, Any], token: str) -> str:
    nonce = urlsafe_b64decode(randomness.token(12))
    plain = json.dumps(answer).encode()
    return urlsafe_b64encode(nonce + _cipher(token).encrypt(nonce, plain, None)).decode()


def _unseal(sealed: str, token: str) -> dict[str, Any]:
    octets = urlsafe_b64decode(sealed)
    try:
        plain = _cipher(token).decrypt(octets[:12], octets[12:], None)
    except InvalidTag as error:
        raise RequestError("invalid_grant", reason=Reason.GRANT_UNKNOWN) from error
    answer: dict[str, Any] = json.loads(plain)
    return answer


def _cipher(token: str) -> AESGCM:
    return AESGCM(_derived(token.encode(), b"gongmu refresh answer"))


def _derived(secret: bytes, purpose: bytes) -> bytes:
    return HKDF(SHA256(), 32, salt=None, info=purpose).derive(secret)


def _dump(family: Family) -> str:
    return _ADAPTER.dump_json(family).decode()
