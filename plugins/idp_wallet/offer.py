"""An issuer's offer and metadata (OpenID4VCI 1.0 §4.1, §12.2; RFC 8414), read and checked."""

from dataclasses import dataclass
from typing import Annotated, Any, TypeVar
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from idp_wallet.card import FORMAT
from idp_wallet.encoding import parse_object
from idp_wallet.faults import OfferRefused
from idp_wallet.links import OfferLink, is_safe
from idp_wallet.web import Web

PRE_AUTHORIZED = "urn:ietf:params:oauth:grant-type:pre-authorized_code"
_ES256 = "ES256"
_Text = Annotated[str, Field(min_length=1, max_length=4096)]


class _Read(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")


_T = TypeVar("_T", bound=_Read)


class TxCode(_Read):
    """The code that reaches the person on another way (VCI 1.0 §4.1.1)."""

    input_mode: str = "numeric"
    length: int | None = Field(None, ge=1, le=64)
    description: str = Field("", max_length=300)


class _Grant(_Read):
    code: _Text = Field(alias="pre-authorized_code")
    tx_code: TxCode | None = None
    authorization_server: str | None = None


class _Offer(_Read):
    credential_issuer: _Text
    credential_configuration_ids: list[_Text] = Field(min_length=1, max_length=32)
    grants: dict[str, Any] = Field(default_factory=dict)


class _Proof(_Read):
    proof_signing_alg_values_supported: list[str]


class _Configuration(_Read):
    format: str
    vct: str = ""
    cryptographic_binding_methods_supported: list[str] = Field(default_factory=list)
    proof_types_supported: dict[str, Any] = Field(default_factory=dict)


class _Display(_Read):
    name: str = Field("", max_length=200)


class _Issuer(_Read):
    credential_issuer: str
    authorization_servers: list[str] | None = None
    credential_endpoint: str
    nonce_endpoint: str | None = None
    display: list[_Display] = Field(default_factory=list)
    credential_configurations_supported: dict[str, Any]


class _Server(_Read):
    issuer: str
    token_endpoint: str


@dataclass(frozen=True, slots=True)
class Offer:
    """What an issuer offers. It came over TLS from an address that the link named."""

    issuer: str
    configurations: tuple[str, ...]
    code: str
    tx_code: TxCode | None
    server: str  # "" unless the grant names one of several


@dataclass(frozen=True, slots=True)
class Issuer:
    """Where to go for a card, and which one it will be."""

    identifier: str
    name: str
    configuration: str
    vct: str
    credential_endpoint: str
    nonce_endpoint: str  # "" when it has none
    token_endpoint: str


def fetch_offer(web: Web, link: OfferLink) -> Offer:
    """The offer behind a link. OfferRefused, Unreachable."""
    text: str | bytes = link.offer
    if link.offer_uri:
        answer = web.get(link.offer_uri)
        if answer.status != 200:
            raise OfferRefused("This offer is no longer there. Ask for a new one.")
        text = answer.body
    try:
        offer = _Offer.model_validate(parse_object(text))
        grant = _Grant.model_validate(offer.grants.get(PRE_AUTHORIZED))
    except (ValueError, ValidationError) as error:
        raise OfferRefused("This offer is not of a kind that this wallet understands.") from error
    if not is_safe(offer.credential_issuer):
        raise OfferRefused("The issuer's address is not safe (https).")
    return Offer(
        issuer=offer.credential_issuer,
        configurations=tuple(offer.credential_configuration_ids),
        code=grant.code,
        tx_code=grant.tx_code,
        server=grant.authorization_server or "",
    )


def fetch_issuer(web: Web, offer: Offer) -> Issuer:
    """Metadata of the issuer and of its authorization server. OfferRefused, Unreachable."""
    issuer = _metadata(web, offer.issuer, "openid-credential-issuer", _Issuer)
    if issuer.credential_issuer != offer.issuer:  # §12.2.1: a stranger's document
        raise OfferRefused("The issuer's document speaks of another issuer.")
    name, vct = _choose(issuer, offer)
    listed = issuer.authorization_servers or [offer.issuer]
    at = offer.server or listed[0]
    if at not in listed:
        raise OfferRefused("The offer names a server that the issuer does not know.")
    server = _metadata(web, at, "oauth-authorization-server", _Server)
    if server.issuer != at:  # RFC 8414 §3.3
        raise OfferRefused("The server's document speaks of another server.")
    endpoints = (issuer.credential_endpoint, server.token_endpoint, issuer.nonce_endpoint or "")
    if not all(is_safe(endpoint) for endpoint in endpoints if endpoint):
        raise OfferRefused("One of the issuer's addresses is not safe (https).")
    shown = next((display.name for display in issuer.display if display.name), "")
    host = urlsplit(offer.issuer).netloc
    return Issuer(
        issuer.credential_issuer, shown or host, name, vct, endpoints[0], endpoints[2], endpoints[1]
    )


def well_known(base: str, name: str) -> str:
    """The address of a document: well-known stands between host and path (RFC 8414 §3.1)."""
    parts = urlsplit(base)
    return f"{parts.scheme}://{parts.netloc}/.well-known/{name}{parts.path.rstrip('/')}"


def _metadata(web: Web, base: str, name: str, model: type[_T]) -> _T:
    if not is_safe(base):
        raise OfferRefused("One of the issuer's addresses is not safe (https).")
    answer = web.get(well_known(base, name))
    if answer.status != 200:
        raise OfferRefused(f"The issuer's document is missing (status {answer.status}).")
    try:
        return model.model_validate(parse_object(answer.body))
    except (ValueError, ValidationError) as error:
        raise OfferRefused("The issuer does not describe itself as a wallet needs it.") from error


def _choose(issuer: _Issuer, offer: Offer) -> tuple[str, str]:
    """The first offered card that this wallet can hold: SD-JWT VC bound to a P-256 key."""
    for name in offer.configurations:
        try:
            found = _Configuration.model_validate(
                issuer.credential_configurations_supported.get(name)
            )
            proof = _Proof.model_validate(found.proof_types_supported.get("jwt"))
        except ValidationError:
            continue
        by_key = "jwk" in found.cryptographic_binding_methods_supported
        if found.format == FORMAT and by_key and _ES256 in proof.proof_signing_alg_values_supported:
            return name, found.vct
    raise OfferRefused("This wallet cannot hold the kind of card that is offered.")
