"""Making an SD-JWT VC (RFC 9901, draft-ietf-oauth-sd-jwt-vc): disclosures, digests, decoys."""

import hashlib
import json
from collections.abc import Callable
from typing import Any

from idp.contracts import JsonObject
from idp_issuer.wire import to_base64url

# A verifier must be able to rely on these, so they are never behind a disclosure (SD-JWT VC §2.2.2.2).
NEVER_DISCLOSED = frozenset({"iss", "nbf", "exp", "cnf", "vct", "status", "iat", "_sd", "_sd_alg"})


def disclosure(salt: str, name: str, value: Any) -> str:
    """One claim with its salt, base64url (RFC 9901 §4.2.1)."""
    return to_base64url(json.dumps([salt, name, value], ensure_ascii=False).encode())


def digest(text: str) -> str:
    """Of a disclosure, as `_sd` lists it (§4.2.3)."""
    return to_base64url(hashlib.sha256(text.encode("ascii")).digest())


def build(
    claims: JsonObject,
    disclosable: JsonObject,
    *,
    digests: int,
    token: Callable[[int], str],
    sign: Callable[[JsonObject], str],
) -> str:
    """A combined SD-JWT without key binding: `<jws>~<disclosure>~...~`.

    There are always `digests` digests, decoys filling up, so that their number does not tell which
    claims a person lacks (a photo, say); they are sorted, so that their order tells nothing either.
    """
    if NEVER_DISCLOSED & disclosable.keys() or len(disclosable) > digests:
        raise ValueError("a claim must not be selectively disclosable, or there are too many")
    disclosures = [disclosure(token(16), name, value) for name, value in disclosable.items()]
    decoys = [digest(token(32)) for _ in range(digests - len(disclosures))]
    listed = sorted([*map(digest, disclosures), *decoys])
    jws = sign({**claims, "_sd": listed, "_sd_alg": "sha-256"})
    return "~".join([jws, *disclosures, ""])
