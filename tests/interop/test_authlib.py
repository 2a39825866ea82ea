"""Authlib's own client signs in, refreshes and logs out; it hears of the end by the back channel."""

import warnings
from collections.abc import Iterator

import httpx
import pytest
from authlib.common.security import generate_token
from authlib.deprecate import AuthlibDeprecationWarning
from authlib.integrations.base_client.errors import OAuthError
from joserfc import jwt
from joserfc.jwk import KeySet

from tests.attacks.holder import Held
from tests.desk import Desk
from tests.fakes.receiver import Receiver, genuine, receiver
from tests.interop.parties import registered, session_is_over, signed_in_at
from tests.provider import Provider

with warnings.catch_warnings():  # it would rather have a successor of httpx
    warnings.simplefilter("ignore", AuthlibDeprecationWarning)
    from authlib.integrations.httpx_client import OAuth2Client

pytestmark = [pytest.mark.services, pytest.mark.timeout(120)]
NAME = "by-authlib"
CALLBACK = "http://localhost:9999/authlib"
BYE = "http://localhost:9999/authlib/bye"


@pytest.fixture(scope="module")
def told(demo: Provider) -> Iterator[Receiver]:
    with (
        receiver() as listening,
        registered(
            demo,
            NAME,
            redirect_uris=(CALLBACK,),
            post_logout_redirect_uris=(BYE,),
            backchannel_logout_uri=listening.url,
        ),
    ):
        yield listening


@pytest.fixture(params=["client_secret_basic", "client_secret_post"])
def client(
    demo: Provider, told: Receiver, request: pytest.FixtureRequest
) -> Iterator[OAuth2Client]:
    told.calls.clear()
    with OAuth2Client(
        client_id=NAME,
        client_secret=demo.relying_parties[NAME]["client_secret"],
        token_endpoint_auth_method=request.param,
        revocation_endpoint_auth_method=request.param,
        code_challenge_method="S256",
        scope="openid profile offline_access",
        redirect_uri=CALLBACK,
        timeout=20,
    ) as session:
        yield session


def test_sign_in_refresh_and_log_out(demo: Provider, told: Receiver, client: OAuth2Client) -> None:
    metadata = demo.discovery()
    nonce, verifier = generate_token(24), generate_token(48)
    address, state = client.create_authorization_url(
        metadata["authorization_endpoint"], nonce=nonce, code_verifier=verifier
    )
    with Desk(demo, party=NAME) as desk:
        back = signed_in_at(desk, Held.receive(demo, demo.person(index=7)), address)
        tokens = client.fetch_token(
            metadata["token_endpoint"],
            authorization_response=back,
            state=state,
            code_verifier=verifier,
        )
        keys = KeySet.import_key_set(httpx.get(metadata["jwks_uri"]).json())
        claims = jwt.decode(tokens["id_token"], keys, ["ES256", "RS256"]).claims
        assert (claims["iss"], claims["aud"], claims["nonce"]) == (demo.issuer, NAME, nonce)
        assert client.get(metadata["userinfo_endpoint"]).json()["sub"] == claims["sub"]

        first = tokens["refresh_token"]
        renewed = client.refresh_token(metadata["token_endpoint"], first)
        assert renewed["refresh_token"] != first
        assert client.get(metadata["userinfo_endpoint"]).json()["sub"] == claims["sub"]

        logout, state = client.create_authorization_url(
            metadata["end_session_endpoint"],
            state="going",
            id_token_hint=tokens["id_token"],
            post_logout_redirect_uri=BYE,
        )
        assert desk.get(logout) == f"{BYE}?state={state}"
        assert session_is_over(desk)
        [call] = told.wait(1)
        heard = genuine(demo, call.token, NAME)
        assert (heard["sid"], heard["sub"]) == (claims["sid"], claims["sub"])
        with pytest.raises(OAuthError, match="invalid_grant"):
            client.refresh_token(metadata["token_endpoint"], renewed["refresh_token"])
