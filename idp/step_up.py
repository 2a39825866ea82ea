"""What a resource of ours demands of the sign-in behind a person's token (RFC 9470 §3).

The answer says what would do, so that the relying party can send the person to sign in once more.
"""

from idp import assurance
from idp.access_tokens import AccessToken
from idp.errors import UnauthorizedError
from idp.events import Reason
from idp.services import services
from idp.sessions import Session

OPERATOR_ACR = "phr"  # what administers is refused after a QR that may have been relayed (D-1)
OPERATOR_MAX_AGE_S = 15 * 60  # and once the person may have left the desk


def must_be(token: AccessToken, session: Session, acr: str, max_age_s: int | None = None) -> None:
    """Does nothing for a sign-in that is strong and fresh enough. UnauthorizedError otherwise."""
    if not assurance.reaches(session.acr, acr):
        raise _demand(token, Reason.ACR_UNMET, acr, max_age_s)
    age_s = (services().now() - session.authenticated_at).total_seconds()
    if max_age_s is not None and age_s >= max_age_s:
        raise _demand(token, Reason.LOGIN_REQUIRED, acr, max_age_s)


def _demand(
    token: AccessToken, reason: Reason, acr: str, max_age_s: int | None
) -> UnauthorizedError:
    error = UnauthorizedError(
        "insufficient_user_authentication",
        "a stronger or more recent sign-in is needed",
        scheme="DPoP" if token.binding.startswith("jkt:") else "Bearer",
        reason=reason,
    )
    error.demands = {"acr_values": acr}
    if max_age_s is not None:
        error.demands["max_age"] = str(max_age_s)
    return error
