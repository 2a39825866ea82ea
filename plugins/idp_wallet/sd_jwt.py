"""SD-JWT VC from the holder's side (RFC 9901): read one, find claims in it, show a few of them.

A credential becomes a tree of nodes; a node knows the disclosure that reveals it, if one does.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from joserfc.jwk import ECKey

from idp_wallet.encoding import MAX_DEPTH, decode, encode, parse_json, parse_object
from idp_wallet.keys import peek_header, sign

MAX_CREDENTIAL = 256 * 1024
MAX_DISCLOSURES = 128
Path = tuple[str | int | None, ...]


@dataclass(frozen=True, slots=True)
class Node:
    """One value. `value` is a scalar, or nodes by name or in order; `disclosure` is its own or ""."""

    value: Any
    disclosure: str = ""

    def plain(self) -> Any:
        """The value as JSON, everything revealed."""
        if isinstance(self.value, dict):
            return {name: child.plain() for name, child in self.value.items()}
        if isinstance(self.value, list):
            return [child.plain() for child in self.value]
        return self.value


@dataclass(frozen=True, slots=True)
class SdJwt:
    """A credential as issued. Its signature is the issuer's business and checked on receipt."""

    jwt: str
    header: dict[str, Any]
    payload: dict[str, Any]
    root: Node

    def claims(self) -> dict[str, Any]:
        """Everything it says, as its holder sees it."""
        plain: dict[str, Any] = self.root.plain()
        return plain


@dataclass(frozen=True, slots=True)
class Found:
    """A claim that a path leads to, and all disclosures needed to show it."""

    node: Node
    disclosures: tuple[str, ...]


def parse(text: str) -> SdJwt:
    """A credential `<jwt>~<disclosure>~...~` (RFC 9901 §4). ValueError."""
    if len(text) > MAX_CREDENTIAL or not text.endswith("~"):
        raise ValueError("not an SD-JWT")
    jwt, *disclosures = text[:-1].split("~")
    if len(disclosures) > MAX_DISCLOSURES:
        raise ValueError("too many disclosures")
    header = peek_header(jwt)
    payload = parse_object(decode(jwt.split(".")[1]))
    if payload.get("_sd_alg", "sha-256") != "sha-256":
        raise ValueError("_sd_alg")
    by_digest = {digest(disclosure): disclosure for disclosure in disclosures}
    if len(by_digest) != len(disclosures):
        raise ValueError("a disclosure is repeated")
    reader = _Reader(by_digest)
    root = reader.read({name: value for name, value in payload.items() if name != "_sd_alg"})
    if reader.unused():
        raise ValueError("a disclosure belongs to nothing")
    return SdJwt(jwt, header, payload, root)


def digest(text: str) -> str:
    """The SHA-256 by which a disclosure, or a whole presentation, is referred to (RFC 9901 §4.2.3)."""
    return encode(hashlib.sha256(text.encode("ascii")).digest())


def find(root: Node, path: Path) -> list[Found]:
    """The claims a path selects, [] when there are none (VP 1.0 §7)."""
    found: list[tuple[Node, tuple[str, ...]]] = [(root, ())]
    for part in path:
        found = [
            (child, (*via, child.disclosure)) for node, via in found for child in _step(node, part)
        ]
    return [Found(node, tuple(filter(None, (*via, *_beneath(node))))) for node, via in found]


def present(
    credential: SdJwt, disclosures: Sequence[str], key: ECKey, claims: dict[str, Any]
) -> str:
    """A presentation with exactly these disclosures, bound to its occasion (RFC 9901 §4.3).

    `claims` holds nonce, aud and iat; sd_hash is added here.
    """
    shown = "~".join((credential.jwt, *disclosures, ""))
    return shown + sign("kb+jwt", {**claims, "sd_hash": digest(shown)}, key)


def _step(node: Node, part: str | int | None) -> list[Node]:
    if isinstance(part, str):
        return [node.value[part]] if isinstance(node.value, dict) and part in node.value else []
    if not isinstance(node.value, list):
        return []
    if part is None:
        return node.value
    return node.value[part : part + 1] if part >= 0 else []


def _beneath(node: Node) -> Iterator[str]:
    """What is asked as a whole is shown as a whole."""
    children: Any = node.value.values() if isinstance(node.value, dict) else node.value
    if isinstance(node.value, dict | list):
        for child in children:
            yield child.disclosure
            yield from _beneath(child)


class _Reader:
    """Puts disclosures where their digests stand (RFC 9901 §7.1), each exactly once."""

    def __init__(self, by_digest: dict[str, str]) -> None:
        self._by_digest = by_digest
        self._seen: set[str] = set()
        self._depth = 0

    def unused(self) -> bool:
        return bool(self._by_digest.keys() - self._seen)

    def read(self, value: Any, disclosure: str = "") -> Node:
        if self._depth == MAX_DEPTH:  # each disclosure is shallow, a chain of them need not be
            raise ValueError("nested too deeply")
        self._depth += 1
        if isinstance(value, dict):
            node = Node(self._object(value), disclosure)
        elif isinstance(value, list):
            node = Node(self._array(value), disclosure)
        else:
            node = Node(value, disclosure)
        self._depth -= 1
        return node

    def _object(self, value: dict[str, Any]) -> dict[str, Node]:
        if "..." in value:
            raise ValueError("a reserved name")
        nodes = {name: self.read(child) for name, child in value.items() if name != "_sd"}
        digests = value.get("_sd", [])
        if not isinstance(digests, list):
            raise ValueError("_sd")  # noqa: TRY004 - what came in is at fault
        for name, node in filter(None, map(self._member, digests)):
            if name in nodes:
                raise ValueError("a disclosure covers another claim")
            nodes[name] = node
        return nodes

    def _member(self, reference: Any) -> tuple[str, Node] | None:
        disclosure, parts = self._open(reference, 3)
        if not parts:
            return None
        name = parts[1]
        if not isinstance(name, str) or name in ("_sd", "..."):
            raise ValueError("a reserved name")
        return name, self.read(parts[2], disclosure)

    def _array(self, value: list[Any]) -> list[Node]:
        nodes = []
        for child in value:
            if not (isinstance(child, dict) and "..." in child):
                nodes.append(self.read(child))
                continue
            if len(child) != 1:
                raise ValueError("a reserved name")
            disclosure, parts = self._open(child["..."], 2)
            if parts:
                nodes.append(self.read(parts[1], disclosure))
        return nodes

    def _open(self, reference: Any, length: int) -> tuple[str, list[Any]]:
        """The disclosure behind a digest; nothing for a decoy."""
        if not isinstance(reference, str) or reference in self._seen:
            raise ValueError("a digest is repeated")
        self._seen.add(reference)
        disclosure = self._by_digest.get(reference)
        if disclosure is None:
            return "", []
        parts = parse_json(decode(disclosure))
        if not isinstance(parts, list) or len(parts) != length:
            raise ValueError("a disclosure's form")
        return disclosure, parts
