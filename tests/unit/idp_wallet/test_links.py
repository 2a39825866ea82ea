import pytest

from idp_wallet.faults import LinkUnreadable
from idp_wallet.links import OfferLink, PresentationLink, is_safe, read_link

OFFER = "credential_offer_uri=https%3A%2F%2Fid.go.kr%2Fissuer%2Foffer%2F1"
ASK = "client_id=x509_hash%3Aabc&request_uri=https%3A%2F%2Fid.go.kr%2Fvp%2F1%2Frequest"


@pytest.mark.parametrize(
    "link",
    [
        f"openid-credential-offer://?{OFFER}",
        f"openid-credential-offer:///?{OFFER}",
        f"haip-vci://?{OFFER}",
        f" https://id.go.kr/wallet/receive?{OFFER}\n",
    ],
)
def test_offer_links(link):
    assert read_link(link) == OfferLink("https://id.go.kr/issuer/offer/1")


@pytest.mark.parametrize(
    "prefix", ["openid4vp://", "haip-vp://", "http://localhost:8000/wallet/present"]
)
def test_presentation_links(prefix):
    assert read_link(f"{prefix}?{ASK}&request_uri_method=post") == PresentationLink(
        "x509_hash:abc", "https://id.go.kr/vp/1/request", by_post=True
    )
    assert read_link(f"{prefix}?{ASK}") == PresentationLink(
        "x509_hash:abc", "https://id.go.kr/vp/1/request"
    )


def test_an_offer_may_stand_in_the_link_itself():
    assert read_link("openid-credential-offer://?credential_offer=%7B%7D") == OfferLink("", "{}")


@pytest.mark.parametrize(
    "link",
    [
        "",
        "hello",
        "javascript:alert(1)",
        "https://id.go.kr/wallet/other?" + OFFER,
        "https://[::1/wallet/receive?" + OFFER,
        "openid-credential-offer://evil?" + OFFER,
        "openid-credential-offer://?",
        f"openid-credential-offer://?{OFFER}&credential_offer=%7B%7D",
        f"openid-credential-offer://?{OFFER}&{OFFER}",
        "openid-credential-offer://?credential_offer_uri=http%3A%2F%2Fid.go.kr%2Foffer",
        "openid4vp://?client_id=x509_hash%3Aabc",
        "openid4vp://?request_uri=https%3A%2F%2Fid.go.kr%2Fr",
        f"openid4vp://?{ASK}&request_uri_method=put",
        f"openid4vp://?{ASK}&client_id=other",
        f"openid4vp://?{ASK}".replace("https", "http"),
        f"openid4vp://?{ASK}\u0000",
        f"openid4vp://?{ASK}&x=" + "y" * 9000,
        f"openid4vp://?client_id={'a' * 5000}&request_uri=https%3A%2F%2Fid.go.kr",
    ],
)
def test_what_is_no_link_is_refused(link):
    with pytest.raises(LinkUnreadable):
        read_link(link)


@pytest.mark.parametrize(
    ("address", "safe"),
    [
        ("https://id.go.kr/x", True),
        ("http://localhost:8000/x", True),
        ("http://127.0.0.1/x", True),
        ("http://[::1]:9/x", True),
        ("http://id.go.kr/x", False),
        ("http://localhost.id.go.kr/x", False),
        ("https://user@id.go.kr/x", False),
        ("https://id.go.kr/x#y", False),
        ("https://id.go.kr:port/x", False),
        ("https://", False),
        ("file:///etc/passwd", False),
        ("https://id.go.kr/\u0000", False),
    ],
)
def test_addresses_a_wallet_may_call(address, safe):
    assert is_safe(address) is safe
