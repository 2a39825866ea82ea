"""Refresh tokens: a family per grant, bound to its client and, by profile, to a key (RFC 9700 §4.14.2, D-2).

A token is `<grant id>.<random>.<mac>`. The mac tells a token that we once gave out from a guess, so
that a guess ends nobody's family. The family's current token stands in the short-lived store; its birth
and end stand in SQL, as the grant. Using it is one trip, a compare-and-set by the token's digest. In the
profiles `oidc` and `public` it is rotated, with reuse detection; in `fapi2` it stays (FAPI 2.0 §5.3.2.1).

The answer of the last rotation is kept for the grace, sealed with a key that only the former token holds:
a client whose answer was lost asks again with it and gets the same answer. Whoever holds a token of a
family without being its client or having its key ends the family. After a flush of the store nothing is
known: invalid_grant.
"""

import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import TypeAdapter, ValidationError

from idp import assurance, browser, randomness
from idp.conf import Lifetimes
from idp.errors import AccessDenied, RequestError
from idp.events import Event, Kind, Reason
from idp.login import digest
from idp.oidc import bindings, gate, minting, resources
from idp.oidc.minting import Sitting
from idp.oidc.parameters import Parameters
from idp.oidc.token_answers import invalid_grant, of_access_token, record_issued
from idp.relying_parties import RelyingParty
from idp.services import services
from idp.sessions import Grant


@dataclass(frozen=True, slots=True)
class Family:
    """What the store keeps of a family beside its current token: digests, and one sealed answer."""

    token: str  # the current one, without its binding
    since: datetime
    former: str = ""  # with its binding
    answer: str = ""  # of the rotation from `former`; only the former token opens it


@dataclass(frozen=True, slots=True)
class _Presented:
    """A token that we made, for a grant that lives and is the client's own."""

    value: str
    head: str  # what the store must begin with
    sitting: Sitting
    grant: Grant


_ADAPTER: TypeAdapter[Family] = TypeAdapter(Family)


def is_granted(sitting: Sitting) -> bool:
    """Whether this grant comes with a refresh token: registered for it, and asked for (OIDC Core §11)."""
    return "refresh_token" in sitting.party.grant_types and "offline_access" in sitting.scope


def begin(sitting: Sitting) -> str:
    """The first token of a family."""
    token = _new_token(sitting.grant)
    lifetimes = _lifetimes()
    services().short.lay(
        f"family:{sitting.grant}",
        _head(token, sitting),
        _dump(Family(digest(token), services().now())),
        min(lifetimes.refresh_idle_s, lifetimes.refresh_total_s),
    )
    return token


def refresh(given: Parameters, party: RelyingParty, binding: str) -> dict[str, Any]:
    """The answer to a refresh token (RFC 6749 §6). RequestError("invalid_grant") otherwise."""
    value = given.get("refresh_token")
    if value is None:
        raise RequestError("invalid_request", "refresh_token is missing")
    presented = _presented(value, party, binding)  # 1. ours, alive, the client's own, past the gate
    presented = _narrowed(presented, given)  # 2. no wider than granted
    if party.profile == "fapi2":
        return _use(presented)  # 3. current
    return _rotate(presented)  # 3. current, or lately current


def _presented(value: str, party: RelyingParty, binding: str) -> _Presented:
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
    if not assurance.reaches(session.acr, party.minimum_acr):  # raised since: sign in again
        raise invalid_grant(Reason.ACR_UNMET, party)
    sitting = Sitting(party, session, official, grant.id, grant.scope, binding, claims=grant.claims)
    return _Presented(value, _head(value, sitting), sitting, grant)


def _narrowed(presented: _Presented, given: Parameters) -> _Presented:
    """RFC 6749 §6, RFC 8707 §2.2: this access token may be for less than was granted, never more."""
    sitting, grant = presented.sitting, presented.grant
    audience = resources.audience(given, grant.resource)
    wanted = sitting.scope
    if "scope" in given:
        wanted = tuple(dict.fromkeys(given["scope"].split(" ")))
        if not set(wanted) <= set(sitting.scope):
            raise RequestError(
                "invalid_scope", "the scope is wider than granted", reason=Reason.SCOPE
            )
    elif not audience:
        return presented
    return replace(presented, sitting=replace(sitting, scope=wanted, audience=audience))


def _use(presented: _Presented) -> dict[str, Any]:
    """The same token goes on; its idle time begins anew."""
    answer = {**_tokens(presented.sitting), "refresh_token": presented.value}
    family = Family(digest(presented.value), services().now())
    text = _turned(presented, presented.head, family)
    if text is not None:
        raise _in_other_hands(presented, _read(text, presented.sitting.party))
    record_issued(presented.sitting.party, presented.sitting)
    return answer


def _rotate(presented: _Presented) -> dict[str, Any]:
    """The new answer, or the same one again for who asks once more within the grace."""
    sitting = presented.sitting
    token = _new_token(sitting.grant)
    answer = {**_tokens(sitting), "refresh_token": token}
    now = services().now()
    sealed = _seal(answer, presented.value)
    text = _turned(
        presented, _head(token, sitting), Family(digest(token), now, presented.head, sealed)
    )
    if text is not None:
        family = _read(text, sitting.party)
        in_grace = (now - family.since).total_seconds() < _lifetimes().refresh_grace_s
        if not in_grace or not hmac.compare_digest(presented.head, family.former):
            raise _in_other_hands(presented, family)
        answer = _unseal(family.answer, presented.value)
    record_issued(sitting.party, sitting)  # who made a repeated one may have died before its event
    return answer


def _tokens(sitting: Sitting) -> dict[str, Any]:
    access = minting.access_token(sitting)
    answer = of_access_token(access, sitting.scope, sitting.binding)
    if "openid" in sitting.scope:
        answer["id_token"] = minting.id_token(sitting, None, access)  # OIDC Core §12.2: no nonce
    return answer


def _turned(presented: _Presented, head: str, family: Family) -> str | None:
    """None when the token was current and is used now; else what stands there instead."""
    grant = presented.grant
    left_s = int((grant.expires_at - family.since).total_seconds())
    ttl_s = max(1, min(_lifetimes().refresh_idle_s, left_s))
    key = f"family:{grant.id}"
    turned = services().short.turn(key, presented.head, head, _dump(family), ttl_s)
    if turned is None:  # its idle time is over, or the store lost it
        raise invalid_grant(Reason.GRANT_EXPIRED, presented.sitting.party)
    return None if turned.first else turned.value


def _in_other_hands(presented: _Presented, family: Family) -> RequestError:
    current = hmac.compare_digest(digest(presented.value), family.token)
    reason = Reason.SENDER_KEY if current else Reason.GRANT_REPLAYED
    return _reused(presented.sitting.grant, presented.sitting.party, reason)


def _read(text: str, party: RelyingParty) -> Family:
    try:
        return _ADAPTER.validate_json(text)
    except ValidationError as error:  # written by another version of ours
        raise invalid_grant(Reason.GRANT_UNKNOWN, party) from error


def _lifetimes() -> Lifetimes:
    return services().settings.lifetimes


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
    return AESGCM(hmac.digest(b"gongmu refresh answer", token.encode(), "sha256"))


def _head(token: str, sitting: Sitting) -> str:
    """How the store knows a token, with the key it is bound to."""
    binding = bindings.of_refresh(sitting.party, sitting.binding)
    return digest(f"{token} {binding}" if binding else token)


def _dump(family: Family) -> str:
    return _ADAPTER.dump_json(family).decode()
