"""The keys of relying parties: registered by value, or fetched from their `jwks_uri` (OIDC Core §10).

What was fetched is believed for 30 s, and for 60 s at most while its address does not answer: a key
that its owner removed is dead after that (A-066). A kid that is not in the set fetches it again, but
no address is tried twice within 15 s, whether it answered or not (A-067). One thread fetches a set
and few wait for it, so that a slow relying party delays nobody but itself.
"""

import json
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from idp import jws
from idp.errors import OutsideError
from idp.registration import keys_fault
from idp.relying_parties import RelyingParty

FRESH_S = 30.0
KEPT_S = 60.0
PAUSE_S = 15.0  # between two tries at one address
MAX_SETS = 1024
ACCEPT = "application/jwk-set+json, application/json"
_NEVER = float("-inf")


@dataclass(frozen=True, slots=True)
class _Kept:
    """What is known of one address."""

    jwks: Mapping[str, Any] = field(default_factory=dict)
    at: float = _NEVER  # when that was fetched
    tried_at: float = _NEVER
    fault: str = ""  # of the last try

    def has(self, kid: str | None) -> bool:
        """Whether this key is in the set; without a kid, whatever is there."""
        return kid is None or any(key["kid"] == kid for key in self.jwks.get("keys", ()))


@dataclass(slots=True)
class _Flight:
    """Those who wait for one address: the first of them fetches."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    waiting: int = 0


class KeySets:
    """Safe for threads. `threads` is how many answer requests: at most half of them wait here."""

    def __init__(
        self,
        get: Callable[[str, str], bytes],
        threads: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._get = get
        self._clock = clock
        self._most = max(1, threads // 2)
        self._each = max(1, self._most // 2)
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._flights: dict[str, _Flight] = {}
        self._lock = threading.Lock()

    def verify(self, token: str, party: RelyingParty, rules: jws.Rules) -> dict[str, Any]:
        """The claims of a JWS by one of the party's keys. NotGenuine, OutsideError (too many wait)."""
        if not party.jwks_uri:
            return jws.verify(token, party.jwks or {}, rules)
        kid = jws.read_header(token, rules).get("kid")
        return jws.verify(token, self.of(party, kid if isinstance(kid, str) else None), rules)

    def of(self, party: RelyingParty, kid: str | None = None) -> Mapping[str, Any]:
        """The JWK set of a party, fetched again when it lacks this kid. NotGenuine, OutsideError."""
        uri = party.jwks_uri
        if not uri:
            return party.jwks or {}
        with self._lock:
            kept = self._kept.get(uri, _Kept())
            # While another thread fetches, what is there answers.
            busy = uri in self._flights and self._counts(kept) and kept.has(kid)
        if self._is_due(kept, kid) and not busy:
            with self._place(uri) as flight, flight.lock:
                kept = self._kept.get(uri, _Kept())
                if self._is_due(kept, kid):  # nobody fetched it while this thread waited
                    kept = self._fetch(uri, kept)
        if not self._counts(kept):
            raise jws.NotGenuine(f"jwks_uri: {kept.fault}")
        return kept.jwks

    def _counts(self, kept: _Kept) -> bool:
        return self._clock() - kept.at < KEPT_S

    def _is_due(self, kept: _Kept, kid: str | None) -> bool:
        now = self._clock()
        rested = now - kept.tried_at >= PAUSE_S
        return rested and (now - kept.at >= FRESH_S or not kept.has(kid))

    @contextmanager
    def _place(self, uri: str) -> Iterator[_Flight]:
        with self._lock:
            flight = self._flights.get(uri) or _Flight()
            total = sum(other.waiting for other in self._flights.values())
            if total >= self._most or flight.waiting >= self._each:
                raise OutsideError("relying_party", "too many wait for keys")
            self._flights[uri] = flight
            flight.waiting += 1
        try:
            yield flight
        finally:
            with self._lock:
                flight.waiting -= 1
                if not flight.waiting:
                    del self._flights[uri]

    def _fetch(self, uri: str, kept: _Kept) -> _Kept:
        try:
            found = _Kept(read_jwks(self._get(uri, ACCEPT)), at=self._clock())
        except OutsideError as error:
            found = replace(kept, fault=error.detail)
        except jws.NotGenuine as error:
            found = replace(kept, fault=str(error))
        found = replace(found, tried_at=self._clock())
        with self._lock:
            self._kept[uri] = found
            self._kept.move_to_end(uri)
            if len(self._kept) > MAX_SETS:
                self._kept.popitem(last=False)
        return found


def read_jwks(octets: bytes) -> Mapping[str, Any]:
    """A JWK set as it came, held to the rules of a registered one. NotGenuine."""
    try:
        found = json.loads(octets)
    except (ValueError, RecursionError) as error:
        raise jws.NotGenuine("not JSON") from error
    fault = keys_fault(found)
    if fault is not None:
        raise jws.NotGenuine(f"{fault[0]}; allowed: {fault[1]}")
    # Only the keys: whatever else stood there has no meaning to anybody here.
    return {"keys": found["keys"]}
