"""`KeyRing`: what one process holds of the keys. Signing touches no store but once in five seconds."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, cast

from sqlalchemy import Engine

from idp.conf import Settings
from idp.contracts import JsonObject, Use
from idp.errors import GongmuError, OutsideError, RequestError
from idp.journal import Journal
from idp.keys import signer
from idp.keys.maker import CHAINED, Maker, chain_of, promote, the_one
from idp.keys.register import KeyRow, Register
from idp.keys.sealing import open_sealer

LOOK_EVERY = timedelta(seconds=5)
STALE_AT_MOST = timedelta(seconds=60)  # SQL away: a withdrawn key must not sign longer (F-15)


@dataclass(frozen=True, slots=True)
class _View:
    """The keys as they were at one moment."""

    seen_at: datetime
    signers: Mapping[tuple[str, str], signer.Signer]  # (use, algorithm)
    jwks: Mapping[str, Any]
    chains: Mapping[str, tuple[bytes, ...]]  # use -> DER, leaf first
    roots: Mapping[str, tuple[bytes, ...]]


class KeyRing:
    """The keys of one process; looks for rotation at most every 5 s. OutsideError when SQL is away."""

    def __init__(
        self, engine: Engine, journal: Journal, settings: Settings, now: Callable[[], datetime]
    ) -> None:
        self._register = Register(engine, journal)
        self._settings = settings
        self._now = now
        self._algorithms = tuple(dict.fromkeys(("ES256", *settings.keys.algorithms)))
        self._signers: dict[str, signer.Signer] = {}  # by kid: unsealed once
        self._secrets: dict[str, bytes] = {}
        self._view: _View | None = None
        self._looking = threading.Lock()

    # --- signing ------------------------------------------------------------------------------

    def sign(self, claims: JsonObject, typ: str, use: Use, algorithm: str = "ES256") -> str:
        """A compact JWS; header alg, typ, and kid (oidc) or x5c (verifier, issuer)."""
        chosen = self._current().signers.get((use, algorithm))
        if chosen is None:
            raise GongmuError(f"keys.algorithms has no {algorithm}")
        return chosen.sign(claims, typ)

    def jwks(self) -> Mapping[str, Any]:
        """The public JWKS of use oidc: next, active and lately retired keys."""
        return self._current().jwks

    def certificates(self, use: Use) -> tuple[bytes, ...]:
        """DER, leaf first, root left out."""
        return self._current().chains[use]

    def trust_anchors(self, use: Use) -> tuple[bytes, ...]:
        """DER of our own root for that use."""
        return self._current().roots[use]

    def secret(self, name: str) -> bytes:
        """32 stable random bytes for a purpose: "pairwise", "client-secrets"."""
        if name not in self._secrets:
            kid = f"secret:{name}"
            row = next((row for row in self._register.rows() if row.kid == kid), None)
            if row is None:
                with self._register.change() as change:
                    row = self._maker.secret(change, name, self._now())
            self._secrets[name] = self._maker.sealer.unseal(row.sealed, row.use, row.kid)
        return self._secrets[name]

    # --- keeping the set whole ----------------------------------------------------------------

    def ensure(self) -> None:
        """Make what is missing (first start, a leaf nearly over, an algorithm newly configured).

        One key per OIDC algorithm, root and leaf for verifier and issuer, the named secrets. Safe
        when several processes start at once.
        """
        self._view = self._look()

    def rows(self) -> list[KeyRow]:
        """Every signing key, secrets left out, oldest first (for `gongmu keys list`)."""
        return [row for row in self._register.rows() if row.use != "secret"]

    def rotate(
        self, use: Use, algorithm: str = "ES256", actor: str = "", *, at_once: bool = False
    ) -> tuple[str, str]:
        """One step of a rotation; gives (kid, its new state).

        First a next key is published, later it signs in place of the active one, which retires.
        RequestError when it was not published long enough; `at_once` does not wait. A leaf of
        verifier or issuer brings its chain along and needs no waiting.
        """
        now = self._now()
        at_once = at_once or use in CHAINED
        with self._register.change(actor) as change:
            ready = the_one(change.rows(), use, algorithm, "next")
            if ready is None:
                ready = self._maker.new_key(change, use, algorithm, now)
                change.add(ready)
                if not at_once:
                    self._view = None
                    return ready.kid, "next"
            self._must_be_known(ready, now, at_once=at_once)
            promote(change, ready, now)
        self._view = None
        return ready.kid, "active"

    def retire(self, kid: str, actor: str = "", *, compromised: bool = False) -> str:
        """Take a key out of use; gives its new state. RequestError for one that still signs.

        A compromised key leaves the JWKS at once, and when it was active a new one takes its place.
        """
        now = self._now()
        with self._register.change(actor) as change:
            row = next((row for row in change.rows() if row.kid == kid), None)
            if row is None or row.use not in set(Use):
                raise RequestError("invalid_request", "there is no such key")
            if row.state == "active":
                if not compromised:
                    raise RequestError("invalid_request", "this key signs: rotate first")
                successor = the_one(change.rows(), row.use, row.algorithm, "next")
                if successor is None:
                    successor = self._maker.new_key(change, Use(row.use), row.algorithm, now)
                    change.add(successor)
                change.set_state(successor, "active", now)
            state = "withdrawn" if compromised or row.state == "next" else "retired"
            change.set_state(row, state, now)
        self._view = None
        return state

    # --- how --------------------------------------------------------------------------------------

    @cached_property
    def _maker(self) -> Maker:
        settings = self._settings
        agency = settings.agency.name_ko
        return Maker(open_sealer(settings), settings.issuer, self._algorithms, agency)

    def _current(self) -> _View:
        view = self._view
        if view is not None and self._now() - view.seen_at < LOOK_EVERY:
            return view
        if not self._looking.acquire(blocking=view is None):
            return cast("_View", view)  # another thread looks; this one goes on with what it has
        try:
            self._view = fresh = self._look()
        except OutsideError:
            if view is None or self._now() - view.seen_at > STALE_AT_MOST:
                raise
            return view
        finally:
            self._looking.release()
        return fresh

    def _look(self) -> _View:
        now = self._now()
        rows = self._register.rows()
        if self._maker.is_missing_any(rows, now):
            # Made before the lock is taken: an RSA key needs longer than others should wait.
            made = self._maker.keys_for(rows)
            with self._register.change() as change:
                self._maker.make_missing(change, made, now)
                rows = change.rows()
        return self._look_at(rows, now)

    def _look_at(self, rows: list[KeyRow], now: datetime) -> _View:
        active = [row for row in rows if row.state == "active" and row.use in set(Use)]
        life_s = self._settings.lifetimes
        alive = now - timedelta(
            seconds=max(life_s.id_token_s, life_s.access_token_s, life_s.session_total_s)
        )  # an ID token serves as a hint while its session lives
        published = [row for row in rows if row.use == Use.OIDC and _is_published(row, alive)]
        return _View(
            seen_at=now,
            signers={(row.use, row.algorithm): self._signer(row) for row in active},
            jwks={"keys": [row.public_jwk for row in published]},
            chains={row.use: chain_of(row) for row in active if row.chain},
            roots={
                use: tuple(der for row in rows if row.use == f"{use}-root" for der in chain_of(row))
                for use in CHAINED
            },
        )

    def _signer(self, row: KeyRow) -> signer.Signer:
        if row.kid not in self._signers:
            key = self._maker.open(row)
            header = {"x5c": row.chain} if row.chain else {"kid": row.kid}
            self._signers[row.kid] = signer.Signer(key, row.algorithm, header)
        return self._signers[row.kid]

    def _must_be_known(self, row: KeyRow, now: datetime, *, at_once: bool) -> None:
        ready_at = row.created_at + timedelta(hours=self._settings.keys.next_before_use_h)
        if not at_once and now < ready_at:
            when = ready_at.isoformat(timespec="minutes")
            raise RequestError("invalid_request", f"published too lately: it may sign from {when}")


def _is_published(row: KeyRow, alive: datetime) -> bool:
    if row.state == "retired":
        return row.retired_at is not None and row.retired_at > alive
    return row.state in ("active", "next")
