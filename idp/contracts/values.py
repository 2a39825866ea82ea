"""Values that every part shares: plain JSON, and the mobile ID as a credential."""

from collections.abc import Mapping
from typing import Any

JsonObject = Mapping[str, Any]  # parsed JSON; what comes from outside is untrusted

# The mobile ID as a credential (SD-JWT VC): the data of the plastic card, each selectively disclosable.
MOBILE_ID_VCT = "urn:gongmu:credential:mobile-id:1"
MOBILE_ID_CONFIGURATION = "mobile-id"  # credential_configuration_id at the issuer
NUMBER_CLAIM = "personnel_number"
MOBILE_ID_CLAIMS = (
    "name",
    "agency",
    "department",
    "rank",
    NUMBER_CLAIM,
    "portrait",  # data:image/jpeg;base64,... ; left out when the directory has no photo
    "date_of_issuance",  # YYYY-MM-DD
    "issuing_authority",  # the issuing body's name
)
