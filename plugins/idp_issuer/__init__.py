"""The issuer site: OpenID4VCI 1.0 by pre-authorized code, and the status lists.

    staff, API or CLI   make_offer          register row OFFERED; link for the QR; six digits by another channel
    wallet              GET  /issuer/offers/<id>    the offer (§4.1.3); the digits are never in it
                        GET  /.well-known/...       metadata of the credential issuer and of its token endpoint
                        POST /issuer/token          code and digits -> access token, once (§6)
                        POST /issuer/nonce          a nonce for the key proof, once (§7)
                        POST /issuer/credential     key proof -> SD-JWT VC, once; row LIVE (§8)
    anyone              GET  /status/<n>            the signed list of what is revoked or suspended

What decides (`wire`, `proof`, `sd_jwt`, `status_list`, `metadata`) knows no Flask and no store; `offers`,
`credentials` and `lists` use what the kit hands over; `routes` is the only module with HTTP.
"""

from idp_issuer.settings import IssuerSettings

__all__ = ["IssuerSettings"]
