"""What a plugin or an adapter sees of the provider, and what the provider asks of them.

Three kinds of parts, found by entry point and switched on by a table in the configuration:

* a *method* (`idp.methods`): a way to prove who one is. It has no routes, pages, store or session.
* a *site* (`idp.sites`): a service of its own with one blueprint under one prefix (issuer, wallet, gate).
* a *directory* (`idp.directories`) and a *relying-party adapter* (`idp.relying_parties`): faces of systems outside.

An entry point names frozen pydantic settings (`Openable`) that can build the part. Values that come
from outside are untrusted unless the docstring says otherwise. Times are aware datetimes in UTC.
"""

from idp.contracts.kit import (
    CredentialOffers,
    Kit,
    MethodKit,
    Offer,
    Openable,
    Short,
    Site,
    SiteKit,
    Taken,
    Use,
)
from idp.contracts.methods import (
    Attempt,
    BrowserWalletMethod,
    LoginMethod,
    Proof,
    Step,
    WalletMethod,
)
from idp.contracts.mobile_ids import (
    MobileId,
    MobileIds,
    MobileIdState,
    Status,
)
from idp.contracts.passkeys import (
    BrowserMethod,
    NewPasskey,
    Owner,
    Passkey,
    Passkeys,
    PasskeyState,
    RelatedOrigins,
)
from idp.contracts.people import (
    Directory,
    Identifier,
    Official,
    RelyingPartyAdapter,
    State,
)
from idp.contracts.values import (
    MOBILE_ID_CLAIMS,
    MOBILE_ID_CONFIGURATION,
    MOBILE_ID_VCT,
    NUMBER_CLAIM,
    JsonObject,
)

__all__ = [
    "MOBILE_ID_CLAIMS",
    "MOBILE_ID_CONFIGURATION",
    "MOBILE_ID_VCT",
    "NUMBER_CLAIM",
    "Attempt",
    "BrowserMethod",
    "BrowserWalletMethod",
    "CredentialOffers",
    "Directory",
    "Identifier",
    "JsonObject",
    "Kit",
    "LoginMethod",
    "MethodKit",
    "MobileId",
    "MobileIdState",
    "MobileIds",
    "NewPasskey",
    "Offer",
    "Official",
    "Openable",
    "Owner",
    "Passkey",
    "PasskeyState",
    "Passkeys",
    "Proof",
    "RelatedOrigins",
    "RelyingPartyAdapter",
    "Short",
    "Site",
    "SiteKit",
    "State",
    "Status",
    "Step",
    "Taken",
    "Use",
    "WalletMethod",
]
