"""The OpenID provider on the wire (OpenID Connect Core 1.0, OAuth 2.0 with its current practice, RFC 9700).

One sign-in, as this package sees it (`idp/web/__init__.py` calls its 2 and 3 hop 7, its 4 hop 8):

1. `authorize.py` reads the request (`parameters.py`; signed: `request_objects.py`), finds the way back to
   the relying party (`way_back.py`), checks everything else (`checks.py`, `claims_parameter.py`, `hints.py`);
   or `par.py` did so when it was pushed. A session that answers it (`fitness.py`) and a person who may act
   (`gate.py`) go on at 3; without a fitting session it is `/login/<id>`.
2. The login pages send the browser back to `/oauth/authorize?login=<id>`; `authorize._resume` has `finished.py`
   ask everything once more, then `_after_login` goes on.
3. `consent.py` asks the person where the party's setting or the request wants it (what is decided passes
   `finished.py` again); `codes.py` makes the code, once.
4. `token.py` authenticates the client (`clients.py`; by key `assertions.py`, by certificate `mutual_tls.py`),
   finds the key that its tokens are bound to (`bindings.py`) and hands to `grants.py` or `refresh.py`;
   `resources.py` says where a token may be used, `minting.py` makes it.
5. `device.py` and `exchange.py`, where they are switched on: devices without a browser, and applications
   that call one another for a person.
6. `userinfo.py` tells who it is, `token_checks.py` whether a token counts, `logout.py` ends it.
   `discovery.py` says where all this is, `cors.py` which pages of other origins may read it.

Beside that, `register.py` lets an invited party register itself (`client_metadata.py`).
"""

from flask import Blueprint

from idp.oidc import (
    authorize,
    consent,
    cors,
    device,
    device_pages,
    discovery,
    logout,
    par,
    register,
    token,
    token_checks,
    userinfo,
)


def create_blueprint() -> Blueprint:
    """All routes of this package, under one name."""
    blueprint = Blueprint("oidc", __name__)
    for part in (
        *(authorize, par, consent, token, token_checks, userinfo, discovery, logout),
        *(register, device, device_pages),
    ):
        blueprint.register_blueprint(part.blueprint)
    blueprint.after_request(cors.allow)
    return blueprint
