"""Where an access token may be used: one resource at a time (RFC 8707 §2.2, R-009)."""

from idp.errors import RequestError
from idp.events import Reason
from idp.oidc.parameters import Parameters


def audience(given: Parameters, allowed: tuple[str, ...], usual: str = "") -> str:
    """The one resource this token is for; "" means userinfo. RequestError("invalid_target").

    `allowed` is what was granted or registered, `usual` what is meant when nothing is asked for.
    """
    wanted = given.get("resource", "")
    if wanted:
        if wanted not in allowed:
            raise RequestError(
                "invalid_target", "the resource was not granted", reason=Reason.RESOURCE
            )
        return wanted
    if usual or not allowed:
        return usual
    if len(allowed) > 1:
        raise RequestError(
            "invalid_target", "name one of the resources granted", reason=Reason.RESOURCE
        )
    return allowed[0]
