"""Makes keys: alone for OIDC, with a leaf under our root for verifier and issuer, and named secrets."""

from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, cast

from cryptography.hazmat.primitives.asymmetric import ec

from idp.contracts import Use
from idp.keys import certificates, signer
from idp.keys.register import Change, KeyRow
from idp.keys.sealing import Sealer, random_bytes

SECRETS = ("pairwise", "client-secrets", "refresh-tokens", "csrf")
CHAINED = (Use.VERIFIER, Use.ISSUER)


class Maker:
    """Knows what a whole set of keys is, and makes what is missing of it."""

    def __init__(
        self, sealer: Sealer, issuer: str, algorithms: tuple[str, ...], agency: str = ""
    ) -> None:
        self.sealer = sealer
        self._issuer = issuer
        self._algorithms = algorithms
        self._agency = agency  # as wallets name who asks

    def open(self, row: KeyRow) -> signer.PrivateKey:
        """The private key of a row."""
        return signer.from_pkcs8(self.sealer.unseal(row.sealed, row.use, row.kid))

    def is_missing_any(self, rows: list[KeyRow], now: datetime) -> bool:
        """Whether something is missing, or a leaf is nearly over or names another address."""
        kids = {row.kid for row in rows}
        return bool(
            self._algorithms_missing(rows)
            or self._chains_due(rows, now)
            or any(f"secret:{name}" not in kids for name in SECRETS)
        )

    def keys_for(self, rows: list[KeyRow]) -> dict[str, signer.PrivateKey]:
        """A new private key for every algorithm that has none."""
        return {name: signer.make_private_key(name) for name in self._algorithms_missing(rows)}

    def make_missing(
        self, change: Change, made: Mapping[str, signer.PrivateKey], now: datetime
    ) -> None:
        """In the lock: looks again, since another process may have been quicker."""
        rows = change.rows()
        for algorithm in self._algorithms_missing(rows):
            key = made.get(algorithm) or signer.make_private_key(algorithm)
            change.add(self._row(key, Use.OIDC, algorithm, now, state="active"))
        for use in self._chains_due(rows, now):
            leaf = self.new_key(change, use, "ES256", now)
            change.add(leaf)
            promote(change, leaf, now)
        for name in SECRETS:
            self.secret(change, name, now)

    def new_key(self, change: Change, use: Use, algorithm: str, now: datetime) -> KeyRow:
        """A key in state next, not yet added; its root is made and added when there is none."""
        if use not in CHAINED:
            return self._row(signer.make_private_key(algorithm), use, algorithm, now)
        root = self._root(change, use, now)
        key = ec.generate_private_key(ec.SECP256R1())
        leaf = certificates.make_leaf(
            key.public_key(),
            self._issuer,
            chain_of(root)[0],
            cast("ec.EllipticCurvePrivateKey", self.open(root)),
            now,
            self._agency,
        )
        return self._row(key, use, "ES256", now, chain=[leaf])

    def secret(self, change: Change, name: str, now: datetime) -> KeyRow:
        """The secret of that name, made when there is none."""
        kid = f"secret:{name}"
        found = next((row for row in change.rows() if row.kid == kid), None)
        if found is None:
            sealed = self.sealer.seal(random_bytes(32), "secret", kid)
            found = KeyRow(kid, "secret", "none", "active", sealed, {}, [], now, now)
            change.add(found)
        return found

    def _algorithms_missing(self, rows: list[KeyRow]) -> list[str]:
        return [
            name for name in self._algorithms if the_one(rows, Use.OIDC, name, "active") is None
        ]

    def _chains_due(self, rows: list[KeyRow], now: datetime) -> list[Use]:
        due = []
        for use in CHAINED:
            leaf = the_one(rows, use, "ES256", "active")
            if leaf is None or certificates.is_due(chain_of(leaf)[0], self._issuer, now):
                due.append(use)
        return due

    def _root(self, change: Change, use: Use, now: datetime) -> KeyRow:
        """The root for that use; one that would end before its leaf makes way for a new one."""
        found = the_one(change.rows(), f"{use}-root", "ES256", "active")
        if found is not None and not certificates.outlived_by_leaf(chain_of(found)[0], now):
            return found
        key = ec.generate_private_key(ec.SECP256R1())
        root = certificates.make_root(key, use.value, now)
        row = self._row(key, f"{use}-root", "ES256", now, state="active", chain=[root])
        if found is not None:
            change.set_state(found, "retired", now)
        change.add(row)
        return row

    def _row(
        self, key: signer.PrivateKey, use: str, algorithm: str, now: datetime, **more: Any
    ) -> KeyRow:
        jwk = signer.public_jwk(key, algorithm)
        state = str(more.get("state", "next"))
        return KeyRow(
            kid=jwk["kid"],
            use=str(use),
            algorithm=algorithm,
            state=state,
            sealed=self.sealer.seal(signer.to_pkcs8(key), str(use), jwk["kid"]),
            public_jwk=jwk,
            chain=[b64encode(der).decode() for der in more.get("chain", ())],
            created_at=now,
            active_at=now if state == "active" else None,
        )


def promote(change: Change, row: KeyRow, now: datetime) -> None:
    """The key signs from now on; the one before it retires."""
    former = the_one(change.rows(), row.use, row.algorithm, "active")
    if former is not None:
        change.set_state(former, "retired", now)
    change.set_state(row, "active", now)


def the_one(rows: Iterable[KeyRow], use: str, algorithm: str, state: str) -> KeyRow | None:
    """The row in that state, if any."""
    wanted = (use, algorithm, state)
    return next((row for row in rows if (row.use, row.algorithm, row.state) == wanted), None)


def chain_of(row: KeyRow) -> tuple[bytes, ...]:
    """Its certificates in DER, leaf first, root left out (a root's own: itself)."""
    return tuple(b64decode(der) for der in row.chain)
