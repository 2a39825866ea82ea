"""The `[sites.issuer]` table, which can open the site."""

from functools import partial

from pydantic import BaseModel, ConfigDict, Field

from idp.contracts import Site, SiteKit
from idp_issuer import metadata, routes
from idp_issuer.credentials import Credentials
from idp_issuer.lists import StatusLists
from idp_issuer.offers import Offers


class IssuerSettings(BaseModel):
    """Names, lifetimes and bounds of the issuer."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name_ko: str = Field("공무원증 발급기관", description="the issuer's name in wallets")
    name_en: str = Field("Issuer of mobile official IDs", description="the same in English")
    issuing_authority: str = Field(
        "행정안전부", min_length=1, max_length=100, description="as printed on the card"
    )
    offer_lifetime_s: int = Field(600, ge=60, le=3600, description="to scan and type the digits")
    tx_code_tries: int = Field(5, ge=1, le=10, description="wrong digits before an offer is dead")
    token_lifetime_s: int = Field(300, ge=30, le=300)
    nonce_lifetime_s: int = Field(300, ge=30, le=600)
    credential_lifetime_days: int = Field(365, ge=1, le=3650)
    portrait_max_bytes: int = Field(
        65536, ge=0, le=262144, description="a larger photo is left out; 0 leaves all out"
    )
    status_ttl_s: int = Field(60, ge=10, le=3600, description="how long a verifier may keep a list")
    status_lifetime_s: int = Field(600, ge=60, le=86400, description="after that a list is void")
    status_refresh_s: int = Field(
        3, ge=0, le=10, description="how old a list may be when it is handed out"
    )

    def open(self, kit: SiteKit) -> Site:
        """The site: its routes, its two well-known documents, the ability to make offers."""
        offers = Offers(kit, self)
        credentials = Credentials(kit, self, offers)
        names = {"ko": self.name_ko, "en": self.name_en}
        return Site(
            blueprint=routes.create_blueprint(offers, credentials, StatusLists(kit, self)),
            prefixes=("/issuer", "/status"),
            well_known={
                "openid-credential-issuer": partial(
                    metadata.credential_issuer, kit.base_url, names
                ),
                "oauth-authorization-server/issuer": partial(
                    metadata.authorization_server, kit.base_url
                ),
            },
            service=offers,
        )
