"""Is this mobile ID still good? Our own register for our own, a Token Status List for others' (draft-21 §8.3).

Our own credentials are looked up in the register, so that a loss report counts at once; a list is read
for other issuers only, kept no longer than its `ttl` says (and no longer than five minutes). Whatever
cannot be verified refuses the sign-in (A-152).
"""

import threading
import zlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from idp.contracts import JsonObject, Kit, MobileIdState, Status
from idp.errors import OutsideError, ProofRejected
from idp.events import Reason
from idp_mobile_id import jose
from idp_mobile_id.trust import Signer, Trust

LIST_TYP = "statuslist+jwt"
ACCEPT = "application/statuslist+jwt"
LIST_LIMIT = 1024 * 1024  # characters of the token; what Kit.fetch gives at most
INFLATED_LIMIT = 8 * 1024 * 1024  # bytes: 32 million two-bit entries
MAX_KEPT_S = 300
DEFAULT_KEPT_S = 60  # for a list without ttl
FAILED_KEPT_S = 5  # a list server that is down is not asked by every sign-in
CLOCK_SKEW_S = 60
_KEPT = 64
_OWN_REASONS = {
    MobileIdState.SUSPENDED: Reason.STATUS_SUSPENDED,
    MobileIdState.REVOKED: Reason.STATUS_REVOKED,
}
_LIST_REASONS = {1: Reason.STATUS_REVOKED, 2: Reason.STATUS_SUSPENDED}  # draft-21 §7.1


@dataclass(frozen=True, slots=True)
class Reference:
    """Where a credential says that its status stands (draft-21 §6.2)."""

    uri: str
    index: int


@dataclass(frozen=True, slots=True)
class StatusList:
    """A verified list."""

    bits: int
    entries: bytes
    issued_at: int

    def value(self, index: int) -> int:
        """The status at an index, packed from the lowest bit (draft-21 §4.1)."""
        position = index * self.bits
        if position // 8 >= len(self.entries):
            jose.reject(Reason.STATUS_LIST, "the index is not in the list")
        return self.entries[position // 8] >> (position % 8) & ((1 << self.bits) - 1)


@dataclass(frozen=True, slots=True)
class _Kept:
    found: StatusList | None  # None: could not be fetched
    until: int
    newest: int = 0  # `iat` of the newest list seen at this address


class Statuses:
    """Statuses of credentials. Safe for threads; one fetch of a list at a time."""

    def __init__(self, kit: Kit, trust: Trust, *, required: bool) -> None:
        self._kit = kit
        self._trust = trust
        self._required = required
        self._lists: dict[str, _Kept] = {}
        self._locks = tuple(threading.Lock() for _ in range(16))

    def check(self, claims: JsonObject, now: datetime) -> str:
        """Our mobile-ID id, or "" for another issuer's credential, when it is good now.

        `claims` are verified and hold `iss`. ProofRejected with one of the STATUS reasons.
        """
        if "status" not in claims and not self._required:
            return ""
        reference = read_reference(claims.get("status"))
        own_issuer = claims["iss"] == self._kit.base_url
        own_list = reference.uri.startswith(f"{self._kit.base_url}/")
        if own_issuer != own_list:
            # Nobody's credential borrows another one's good status.
            jose.reject(Reason.STATUS_LIST, "the list is not this issuer's")
        if own_issuer:
            return self._own(reference)
        found = self._list(claims["iss"], reference.uri, now)
        value = found.value(reference.index)
        if value != 0:
            reason = _LIST_REASONS.get(value, Reason.STATUS_LIST)
            jose.reject(reason, "the status list says no")
        return ""

    def _own(self, reference: Reference) -> str:
        found: Status | None = self._kit.own_status(reference.uri, reference.index)
        if found is None:
            jose.reject(Reason.STATUS_LIST, "our register has no such entry")
        if found.state is not MobileIdState.LIVE:
            reason = _OWN_REASONS.get(found.state, Reason.STATUS_LIST)
            jose.reject(reason, "our register says no")
        return found.mobile_id

    def _list(self, issuer: str, uri: str, now: datetime) -> StatusList:
        key, seconds = f"{issuer} {uri}", int(now.timestamp())
        kept = self._lists.get(key)
        if kept is None or seconds >= kept.until:
            with self._locks[hash(key) % len(self._locks)]:
                kept = self._lists.get(key)  # another thread may have fetched it meanwhile
                if kept is None or seconds >= kept.until:
                    kept = self._fetch(key, issuer, uri, now)
        if kept.found is None:
            jose.reject(Reason.STATUS_UNAVAILABLE, "the status list cannot be had")
        return kept.found

    def _fetch(self, key: str, issuer: str, uri: str, now: datetime) -> _Kept:
        seconds = int(now.timestamp())
        before = self._lists.get(key)
        newest = before.newest if before is not None else 0
        try:
            token = self._kit.fetch(uri, ACCEPT)
        except OutsideError:
            return self._keep(key, _Kept(None, seconds + FAILED_KEPT_S, newest))
        found, good_for_s = read_list(token, uri, issuer, self._trust, now)
        if found.issued_at < newest:
            jose.reject(Reason.STATUS_LIST, "the list is older than the one before (F-17)")
        return self._keep(key, _Kept(found, seconds + good_for_s, found.issued_at))

    def _keep(self, key: str, kept: _Kept) -> _Kept:
        if len(self._lists) >= _KEPT and key not in self._lists:
            self._lists.clear()
        self._lists[key] = kept
        return kept


def read_reference(status: Any) -> Reference:
    """The `status_list` of a credential's `status` claim. STATUS_MISSING."""
    entry = status.get("status_list") if isinstance(status, dict) else None
    if not isinstance(entry, dict):
        jose.reject(Reason.STATUS_MISSING, "no status_list")
    index, uri = entry.get("idx"), entry.get("uri")
    if type(index) is not int or not 0 <= index < 2**32:
        jose.reject(Reason.STATUS_LIST, "idx is not an index")
    if not isinstance(uri, str) or not 1 <= len(uri) <= 2048 or not uri.isascii():
        jose.reject(Reason.STATUS_LIST, "uri is not an address")
    try:
        parts = urlsplit(uri)
    except ValueError as error:
        jose.reject(Reason.STATUS_LIST, "uri is not an address", error)
    if parts.scheme not in ("https", "http") or not parts.hostname:
        jose.reject(Reason.STATUS_LIST, "uri is not an address")
    return Reference(uri, index)


def read_list(
    token: bytes, uri: str, issuer: str, trust: Trust, now: datetime
) -> tuple[StatusList, int]:
    """A status list token verified (draft-21 §8.3), and for how many seconds it is good. STATUS_LIST."""
    seconds = int(now.timestamp())
    if not token.isascii():
        jose.reject(Reason.STATUS_LIST, "not a JWT")
    # 1. A JWT of this type, signed by someone whom the issuer's root vouches for.
    jws = jose.parse_jws(token.decode("ascii"), LIST_TYP, Reason.STATUS_LIST, LIST_LIMIT)
    signer = _signer(jws, uri, issuer, trust, now)
    jose.verify_es256(jws, signer.key, Reason.STATUS_LIST)
    # 2. This very list, not expired.
    if jws.claims.get("sub") != uri:
        jose.reject(Reason.STATUS_LIST, "sub is not the address of the list")
    issued_at, good_for_s = _times(jws.claims, seconds)
    # 3. Its bits.
    bits, entries = _inflate(jws.claims.get("status_list"))
    return StatusList(bits, entries, issued_at), good_for_s


def _signer(jws: jose.Jws, uri: str, issuer: str, trust: Trust, now: datetime) -> Signer:
    """Who signed a list: the issuer itself, or the host of the list under the issuer's root."""
    try:
        signer = trust.signer(issuer, jws.header.get("x5c"), now)
    except ProofRejected as error:
        jose.reject(Reason.STATUS_LIST, "the list's certificate does not count", error)
    if not signer.speaks_for(issuer) and not signer.speaks_for(uri):
        jose.reject(Reason.STATUS_LIST, "the list's signer is neither issuer nor host of the list")
    return signer


def _times(claims: JsonObject, now: int) -> tuple[int, int]:
    """`iat`, and how long the list may be kept by its `exp` and `ttl`."""
    issued_at = jose.moment(claims, "iat", Reason.STATUS_LIST)
    if issued_at is None or issued_at > now + CLOCK_SKEW_S:
        jose.reject(Reason.STATUS_LIST, "no iat, or one to come")
    expires = jose.moment(claims, "exp", Reason.STATUS_LIST)
    if expires is not None and now >= expires:
        jose.reject(Reason.STATUS_LIST, "the list has expired")
    ttl = jose.moment(claims, "ttl", Reason.STATUS_LIST)
    if ttl == 0:
        jose.reject(Reason.STATUS_LIST, "ttl is not positive")
    kept_s = min(ttl or DEFAULT_KEPT_S, MAX_KEPT_S)
    return issued_at, min(kept_s, expires - now) if expires is not None else kept_s


def _inflate(value: Any) -> tuple[int, bytes]:
    """`bits` and the unpacked `lst`, bounded against a bomb (draft-21 §4.2)."""
    bits, packed = (value.get("bits"), value.get("lst")) if isinstance(value, dict) else (0, "")
    if type(bits) is not int or bits not in (1, 2, 4, 8) or not isinstance(packed, str):
        jose.reject(Reason.STATUS_LIST, "status_list is malformed")
    inflater = zlib.decompressobj()
    try:
        entries = inflater.decompress(jose.decode(packed, Reason.STATUS_LIST), INFLATED_LIMIT)
    except zlib.error as error:
        jose.reject(Reason.STATUS_LIST, "lst does not inflate", error)
    if not inflater.eof or inflater.unused_data:
        jose.reject(Reason.STATUS_LIST, "lst is cut off, followed by more, or too long")
    return bits, entries
