"""Who may name a client's certificate: settings that nobody outside can make use of (A-073)."""

import pytest
from pydantic import ValidationError

from idp import client_certificates
from idp.conf import Server
from idp.jws import NotGenuine
from idp.oidc import mutual_tls

PROXIES = ("10.0.0.0/8",)


@pytest.mark.parametrize(
    "name", ["X-Client-Cert", "Client-Cert", "X_Client_Cert", "X:Y", "é", "1x"]
)
def test_a073_a_name_that_another_header_could_take(name: str) -> None:
    """Servers read "_" as "-" and take the last of both."""
    with pytest.raises(ValidationError):
        Server(trusted_proxies=PROXIES, client_certificate_header=name)


def test_no_header_without_a_proxy_to_set_it() -> None:
    with pytest.raises(ValidationError, match="trusted_proxies"):
        Server(client_certificate_header="XClientCert")
    with pytest.raises(ValidationError, match="needs client_certificate_header"):
        Server(trusted_proxies=PROXIES, client_certificate_verdict_header="XClientVerify")
    Server(unix_socket="/run/gongmu.sock", client_certificate_header="XClientCert")


def test_only_what_the_proxy_makes_possible_is_offered() -> None:
    header = {"trusted_proxies": PROXIES, "client_certificate_header": "XClientCert"}
    both = {**header, "client_certificate_verdict_header": "XClientVerify"}
    assert mutual_tls.offered(Server()) == ()
    assert mutual_tls.offered(Server(**header)) == ("self_signed_tls_client_auth",)
    assert mutual_tls.offered(Server(**both)) == ("tls_client_auth", "self_signed_tls_client_auth")


@pytest.mark.parametrize("text", ["", ":", "::", ":é:", "x" * 20_000, "%00", "-----BEGIN"])
def test_what_is_no_certificate(text: str) -> None:
    with pytest.raises(NotGenuine):
        client_certificates.read(text)
    with pytest.raises(NotGenuine):
        client_certificates.subject_of("no name")
