"""A client proves itself by its certificate (RFC 8705 §2).

Either by a name in one that an authority vouches for, which the proxy in front has checked, or by the
very certificate that it registered.
"""

from base64 import b64decode
from collections.abc import Collection, Iterator

from idp import client_certificates, jws, sender
from idp.client_certificates import Certificate
from idp.conf import Server
from idp.relying_parties import RelyingParty
from idp.services import services

BY_NAME, BY_ITSELF = "tls_client_auth", "self_signed_tls_client_auth"


def offered(server: Server) -> tuple[str, ...]:
    """The methods that the proxy in front makes possible."""
    if not server.client_certificate_header:
        return ()
    return (BY_NAME, BY_ITSELF) if server.client_certificate_verdict_header else (BY_ITSELF,)


def proves(party: RelyingParty, methods: Collection[str]) -> bool:
    """Whether this request's certificate is the party's, by one of these methods."""
    if BY_NAME not in methods and BY_ITSELF not in methods:
        return False
    found = sender.certificate()
    if found is None or not found.begins_at <= services().now() < found.ends_at:
        return False
    if BY_NAME in methods and sender.is_verified() and _is_named(found, party):
        return True
    return BY_ITSELF in methods and found.der in _registered(party)


def _is_named(found: Certificate, party: RelyingParty) -> bool:
    """RFC 8705 §2.1.2: one expected name, of one kind."""
    if party.tls_client_auth_san_dns:
        return party.tls_client_auth_san_dns in found.dns_names
    name = party.tls_client_auth_subject_dn
    return bool(name) and client_certificates.subject_of(name) == found.subject


def _registered(party: RelyingParty) -> Iterator[bytes]:
    """The certificates in the party's key set (RFC 8705 §2.2.2)."""
    try:
        keys = services().key_sets.of(party).get("keys", ())
    except jws.NotGenuine:
        return
    for key in keys:
        chain = key.get("x5c")
        if isinstance(chain, list) and chain and isinstance(chain[0], str):
            try:
                yield b64decode(chain[0], validate=True)
            except ValueError:
                continue
