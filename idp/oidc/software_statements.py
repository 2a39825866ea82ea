"""Software statements: what a signer that the configuration names says of a party (RFC 7591 §2.3)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from idp import jws
from idp.errors import OutsideError, RequestError
from idp.events import Reason
from idp.key_sets import read_jwks
from idp.oidc.client_metadata import bad
from idp.services import services

RULES = jws.Rules(frozenset({"ES256", "PS256", "RS256", "EdDSA"}), frozenset({"", "jwt"}))
MEMBER = "software_statement"
_CLAIMS = frozenset({"iss", "sub", "aud", "exp", "iat", "nbf", "jti"})  # of the statement itself


def read(given: Mapping[str, Any]) -> dict[str, Any]:
    """The metadata, with what a statement says in place of what the caller says. RequestError."""
    settings = services().settings.registration
    statement = given.get(MEMBER)
    if statement is None:
        if settings.software_statement_required:
            raise _fault("unapproved_software_statement", "a software statement is needed")
        return dict(given)
    if settings.software_statement_jwks_file is None:
        raise _fault("unapproved_software_statement", "no software statement is believed here")
    return {**given, **_stated(statement, _signers(settings.software_statement_jwks_file))}


def _stated(statement: Any, signers: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(statement, str):
        raise _fault("invalid_software_statement", "a software statement is a text")
    try:
        claims = jws.verify(statement, signers, RULES)
        expires_at = jws.seconds(claims, "exp")
    except jws.NotGenuine as error:
        raise _fault("invalid_software_statement", "it does not verify") from error
    if not isinstance(claims.get("iss"), str):
        raise _fault("invalid_software_statement", "it has no iss")
    if expires_at is not None and expires_at <= services().now().timestamp():
        raise _fault("invalid_software_statement", "it has expired")
    return {name: value for name, value in claims.items() if name not in _CLAIMS}


def _signers(file: Path) -> Mapping[str, Any]:
    try:
        return read_jwks(file.read_bytes())
    except (OSError, jws.NotGenuine) as error:
        raise OutsideError("software_statements", str(error)) from error


def _fault(code: str, public: str) -> RequestError:
    return bad(public, Reason.REGISTRATION, code)
