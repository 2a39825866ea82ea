"""The issuer's documents: what a wallet reads before it asks for anything (OpenID4VCI 1.0 §12)."""

from collections.abc import Mapping

from idp.contracts import (
    MOBILE_ID_CLAIMS,
    MOBILE_ID_CONFIGURATION,
    MOBILE_ID_VCT,
    NUMBER_CLAIM,
    JsonObject,
)

PRE_AUTHORIZED_CODE = "urn:ietf:params:oauth:grant-type:pre-authorized_code"
TX_CODE_LENGTH = 6
# Always in a mobile ID; the others only where the directory knows them.
_MANDATORY = frozenset({"name", NUMBER_CLAIM, "date_of_issuance", "issuing_authority"})
_CLAIM_NAMES = {
    "name": ("성명", "Name"),
    "agency": ("소속 기관", "Agency"),
    "department": ("부서", "Department"),
    "rank": ("직급", "Rank"),
    NUMBER_CLAIM: ("공무원 번호", "Personnel number"),
    "portrait": ("사진", "Portrait"),
    "date_of_issuance": ("발급일", "Date of issuance"),
    "issuing_authority": ("발급 기관", "Issuing authority"),
}


def authorization_server_id(base_url: str) -> str:
    """The token endpoint's own issuer: not the OpenID provider's, whose documents say other things."""
    return f"{base_url}/issuer"


def credential_issuer(base_url: str, names: Mapping[str, str]) -> JsonObject:
    """`/.well-known/openid-credential-issuer` (§12.2.4); `names` by language."""
    return {
        "credential_issuer": base_url,
        "authorization_servers": [authorization_server_id(base_url)],
        "credential_endpoint": f"{base_url}/issuer/credential",
        "nonce_endpoint": f"{base_url}/issuer/nonce",
        "display": [{"name": name, "locale": locale} for locale, name in names.items()],
        "credential_configurations_supported": {MOBILE_ID_CONFIGURATION: _configuration()},
    }


def _configuration() -> JsonObject:
    return {
        "format": "dc+sd-jwt",
        "scope": MOBILE_ID_CONFIGURATION,
        "vct": MOBILE_ID_VCT,
        "cryptographic_binding_methods_supported": ["jwk"],
        "credential_signing_alg_values_supported": ["ES256"],
        "proof_types_supported": {"jwt": {"proof_signing_alg_values_supported": ["ES256"]}},
        "credential_metadata": {
            "display": _display("모바일 공무원증", "Mobile public official ID"),
            "claims": [
                {
                    "path": [claim],
                    "mandatory": claim in _MANDATORY,
                    "display": _display(*_CLAIM_NAMES[claim]),
                }
                for claim in MOBILE_ID_CLAIMS
            ],
        },
    }


def authorization_server(base_url: str) -> JsonObject:
    """`/.well-known/oauth-authorization-server/issuer` (RFC 8414)."""
    return {
        "issuer": authorization_server_id(base_url),
        "token_endpoint": f"{base_url}/issuer/token",
        "token_endpoint_auth_methods_supported": ["none"],
        "grant_types_supported": [PRE_AUTHORIZED_CODE],
        "response_types_supported": [],
        "scopes_supported": [MOBILE_ID_CONFIGURATION],
        "authorization_details_types_supported": ["openid_credential"],
        "pre-authorized_grant_anonymous_access_supported": True,
    }


def credential_offer(base_url: str, code: str) -> JsonObject:
    """The offer that the link points to (§4.1.1); the digits travel by another channel."""
    return {
        "credential_issuer": base_url,
        "credential_configuration_ids": [MOBILE_ID_CONFIGURATION],
        "grants": {
            PRE_AUTHORIZED_CODE: {
                "pre-authorized_code": code,
                "tx_code": {
                    "input_mode": "numeric",
                    "length": TX_CODE_LENGTH,
                    "description": "발급 담당자에게 받은 숫자 여섯 자리 / Six digits from the issuing desk",
                },
            }
        },
    }


def _display(korean: str, english: str) -> list[JsonObject]:
    return [{"name": korean, "locale": "ko"}, {"name": english, "locale": "en"}]
