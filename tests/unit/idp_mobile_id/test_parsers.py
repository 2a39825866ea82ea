"""Whatever comes in: ProofRejected or ProofDeclined, and nothing else (B-1)."""

import json
import string
import tempfile
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from idp.errors import ProofDeclined, ProofRejected
from idp.events import Reason
from idp_mobile_id import jose, jwe, sd_jwt
from idp_mobile_id.status import read_list, read_reference
from idp_mobile_id.trust import Trust
from tests.fakes import jws
from tests.unit.idp_mobile_id.scene import FOREIGN, Scene

REASON = Reason.PROOF_MALFORMED
fuzz = settings(deadline=None, max_examples=60)  # the machine may be busy
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(["_sd", "..."]), inner)
    ),
    max_leaves=8,
)
B64 = string.ascii_letters + string.digits + "-_"


@cache
def login() -> Scene:
    return Scene(Path(tempfile.mkdtemp()))


def survives(work: Callable[[], Any]) -> None:
    with suppress(ProofRejected, ProofDeclined):
        work()


@fuzz
@given(st.text())
def test_base64url_is_canonical_or_refused(text: str) -> None:
    try:
        data = jose.decode(text, REASON)
    except ProofRejected:
        return
    assert jose.encode(data) == text


@fuzz
@given(st.binary())
def test_base64url_of_anything_comes_back(data: bytes) -> None:
    assert jose.decode(jose.encode(data), REASON) == data


@fuzz
@given(st.binary() | st.text().map(str.encode) | JSON.map(jws.dump))
def test_json(data: bytes) -> None:
    survives(lambda: jose.load_json(data, REASON))


@pytest.mark.parametrize("depth", [1, 31, 32, 33, 34, 3000, 100_000])
def test_json_depth(depth: int) -> None:
    for opening, closing in ((b"[", b"]"), (b'{"a":', b"}")):
        data = opening * depth + b"1" + closing * depth
        if depth <= jose.MAX_DEPTH:
            assert jose.load_json(data, REASON)
        else:
            with pytest.raises(ProofRejected):
                jose.load_json(data, REASON)


@fuzz
@given(st.text() | st.lists(st.text(alphabet=B64), min_size=3, max_size=3).map(".".join))
def test_jws(token: str) -> None:
    survives(lambda: jose.parse_jws(token, "JWT", REASON))


@fuzz
@given(JSON, JSON)
def test_jws_of_any_json(header: Any, claims: Any) -> None:
    survives(lambda: jose.parse_jws(jws.sign(header, claims, None), "JWT", REASON))


@fuzz
@given(JSON)
def test_jwk(value: Any) -> None:
    survives(lambda: jose.public_key(value, REASON))


@fuzz
@given(st.dictionaries(st.sampled_from(["kty", "crv", "x", "y", "d"]), JSON))
def test_jwk_with_the_right_names(members: dict[str, Any]) -> None:
    survives(lambda: jose.public_key({"kty": "EC", "crv": "P-256", **members}, REASON))


@fuzz
@given(st.text() | st.lists(st.text(alphabet=B64), min_size=5, max_size=5).map(".".join))
def test_jwe(token: str) -> None:
    survives(lambda: jwe.decrypt(token, login().state["key"]))


@fuzz
@given(JSON)
def test_jwe_with_any_header(value: Any) -> None:
    key = login().state["key"]
    for header in (value, {"alg": "ECDH-ES", "enc": "A128GCM", "kid": key["kid"], "epk": value}):
        token = f"{jws.encode(jws.dump(header))}..{'A' * 16}.AAAA.{'A' * 22}"
        survives(lambda token=token: jwe.decrypt(token, key))


@fuzz
@given(st.text() | st.lists(st.text(alphabet=B64 + ".")).map("~".join))
def test_presentation(text: str) -> None:
    survives(lambda: sd_jwt.split(text))


@fuzz
@given(
    st.dictionaries(st.text() | st.sampled_from(["_sd", "...", "_sd_alg"]), JSON), st.lists(JSON)
)
def test_disclosures(claims: dict[str, Any], values: list[Any]) -> None:
    disclosures = tuple(jws.encode(jws.dump(value)) for value in values)
    digests = [jws.digest(text) for text in disclosures]
    survives(lambda: sd_jwt.disclose(claims, disclosures))
    survives(lambda: sd_jwt.disclose({**claims, "_sd": digests}, disclosures))


@fuzz
@given(JSON)
def test_status_reference(value: Any) -> None:
    survives(lambda: read_reference(value))
    survives(lambda: read_reference({"status_list": value}))


@fuzz
@given(
    st.binary()
    | JSON.map(
        lambda value: jws.sign({"alg": "ES256", "typ": "statuslist+jwt"}, value, None).encode()
    )
)
def test_status_list(token: bytes) -> None:
    scene = login()
    trust = Trust(lambda _issuer: (scene.foreign.root.der,))
    survives(lambda: read_list(token, scene.foreign.list_uri, FOREIGN, trust, scene.now))


@fuzz
@given(JSON)
def test_status_list_with_any_claim(value: Any) -> None:
    scene = login()
    trust = Trust(lambda _issuer: (scene.foreign.root.der,))
    for name in ("sub", "iat", "exp", "ttl", "status_list"):
        token = scene.foreign.status_list(scene.now, claims={name: value})
        survives(
            lambda token=token: read_list(token, scene.foreign.list_uri, FOREIGN, trust, scene.now)
        )


@fuzz
@given(JSON)
def test_certificates(value: Any) -> None:
    scene = login()
    trust = Trust(lambda _issuer: (scene.own.root.der,))
    survives(lambda: trust.signer("x", value, scene.now))


@fuzz
@given(st.integers(0, 10_000), st.binary(min_size=1, max_size=4))
def test_certificates_with_a_few_bytes_changed(at: int, bytes_: bytes) -> None:
    scene = login()
    trust = Trust(lambda _issuer: (scene.own.root.der,))
    der = bytearray(scene.own.signer.chain[0])
    at %= len(der)
    der[at : at + len(bytes_)] = bytes_
    survives(lambda: trust.signer("x", [jws.base64(bytes(der))], scene.now))


@fuzz
@given(
    st.dictionaries(st.sampled_from(["response", "vp_token", "state", "error"]), JSON | st.text())
)
def test_answers(answer: dict[str, Any]) -> None:
    scene = login()
    survives(lambda: scene.method.complete(scene.attempt, scene.state, answer))


@fuzz
@given(
    JSON,
    st.sampled_from(["iss", "vct", "exp", "nbf", "iat", "cnf", "status", "_sd", "_sd_alg", "x"]),
)
def test_credentials_with_any_claim(value: Any, name: str) -> None:
    scene = login()
    credential = scene.credential(claims={name: value})
    answer = scene.answer(scene.present(credential))
    survives(lambda: scene.method.complete(scene.attempt, scene.state, answer))


@fuzz
@given(JSON, st.sampled_from(["iat", "aud", "nonce", "sd_hash", "exp"]))
def test_key_bindings_with_any_claim(value: Any, name: str) -> None:
    scene = login()
    answer = scene.answer(scene.present(claims={name: value}))
    survives(lambda: scene.method.complete(scene.attempt, scene.state, answer))


@fuzz
@given(
    st.dictionaries(st.sampled_from(["credential", "response"]), JSON | JSON.map(json.dumps)),
    JSON,
    st.sampled_from(["protocol", "data"]),
)
def test_browser_answers(answer: dict[str, Any], value: Any, name: str) -> None:
    scene = login()
    good = {"protocol": "openid4vp-v1-signed", "data": {"response": value}, name: value}
    for given_ in (answer, {"credential": json.dumps(good)}):
        survives(
            lambda given_=given_: scene.method.complete_in_browser(
                scene.attempt, scene.state, given_
            )
        )
