import pytest

from idp_wallet.encoding import decode, decode_der, parse_json, parse_object


@pytest.mark.parametrize("text", ["a", "YQ==", "YR", "Y Q", "Y+/", "é"])
def test_base64url_has_one_spelling(text):
    with pytest.raises(ValueError):
        decode(text)


def test_base64url():
    assert decode("YQ") == b"a"
    assert decode_der("YQ==") == b"a"
    with pytest.raises(ValueError):
        decode_der("Y!Q=")


@pytest.mark.parametrize(
    "text", ['{"a":1,"a":2}', "NaN", "[" * 40 + "]" * 40, "[" * 100_000, "{", "", '{"a":Infinity}']
)
def test_json_that_two_parsers_could_read_differently(text):
    with pytest.raises(ValueError):
        parse_json(text)


def test_an_object_is_an_object():
    assert parse_object('{"a":[1]}') == {"a": [1]}
    with pytest.raises(ValueError):
        parse_object("[]")
