"""The issuer's documents (VCI 1.0 §12.2, RFC 8414)."""

from idp.contracts import MOBILE_ID_CLAIMS, MOBILE_ID_VCT
from tests.unit.idp_issuer.world import GRANT, ISSUER, World


def test_where_the_core_serves_them(world: World) -> None:
    assert set(world.site.well_known) == {
        "openid-credential-issuer",
        "oauth-authorization-server/issuer",
    }
    assert world.site.prefixes == ("/issuer", "/status")
    rules = {str(rule) for rule in world.app.url_map.iter_rules()} - {"/static/<path:filename>"}
    assert all(rule.startswith(world.site.prefixes) for rule in rules)


def test_credential_issuer(world: World) -> None:
    document = world.site.well_known["openid-credential-issuer"]()
    assert document["credential_issuer"] == ISSUER
    assert document["authorization_servers"] == [f"{ISSUER}/issuer"]
    assert document["credential_endpoint"] == f"{ISSUER}/issuer/credential"
    assert document["nonce_endpoint"] == f"{ISSUER}/issuer/nonce"
    (configuration,) = document["credential_configurations_supported"].values()
    assert configuration["format"] == "dc+sd-jwt"
    assert configuration["vct"] == MOBILE_ID_VCT
    assert configuration["scope"] == "mobile-id"
    claims = configuration["credential_metadata"]["claims"]
    assert [claim["path"] for claim in claims] == [[claim] for claim in MOBILE_ID_CLAIMS]
    for claim in claims:
        assert {name["locale"] for name in claim["display"]} == {"ko", "en"}


def test_authorization_server(world: World) -> None:
    document = world.site.well_known["oauth-authorization-server/issuer"]()
    assert document["issuer"] == f"{ISSUER}/issuer"
    assert document["token_endpoint"] == f"{ISSUER}/issuer/token"
    assert document["grant_types_supported"] == [GRANT]
    assert document["response_types_supported"] == []
    assert document["pre-authorized_grant_anonymous_access_supported"] is True


def test_every_endpoint_of_the_documents_is_served(world: World) -> None:
    issuer = world.site.well_known["openid-credential-issuer"]()
    server = world.site.well_known["oauth-authorization-server/issuer"]()
    for uri in (issuer["credential_endpoint"], issuer["nonce_endpoint"], server["token_endpoint"]):
        answer = world.client().post(uri.removeprefix(ISSUER))
        assert answer.status_code not in (404, 405)
