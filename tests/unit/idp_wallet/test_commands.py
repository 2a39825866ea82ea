import json

import pytest
from click.testing import CliRunner

from idp_wallet.commands import wallet
from tests.unit.idp_wallet.test_picture import png
from tests.unit.idp_wallet.world import PERSON


@pytest.fixture
def run(tmp_path, world):
    (tmp_path / "verifier.pem").write_bytes(world.verifier.root_pem)
    (tmp_path / "issuer.pem").write_bytes(world.issuer.root_pem)

    def run(*arguments, code=0, typed=None):
        command = [*arguments, "--store", str(tmp_path / "wallet")]
        result = CliRunner().invoke(wallet, command, input=typed)
        assert result.exit_code == code, result.output
        assert "Traceback" not in result.output
        return result

    return run


@pytest.fixture
def trust(tmp_path):
    return ("--trust-anchors", str(tmp_path / "verifier.pem"))


def received(run, world):
    return run("receive", world.offer_link, "--tx-code", "123456")


def test_receive_list_present(run, world, trust, tmp_path):
    issuer_roots = ("--trust-anchors", str(tmp_path / "issuer.pem"))
    out = run("receive", world.offer_link, "--tx-code", "123456", *issuer_roots).stdout
    assert "인사혁신처" in out
    assert PERSON["name"] in out
    assert PERSON["name"] in run("list").stdout
    out = run("present", world.present_link, "--yes", *trust).stdout
    assert "Gongmu sign-in" in out
    assert f"{world.base}/vp/1/return?response_code=abc" in out


def test_json(run, world, trust):
    assert json.loads(run("list", "--json").stdout) == {"cards": []}
    done = run("receive", world.offer_link, "--tx-code", "123456", "--json").stdout
    assert json.loads(done)["card"]["claims"]["personnel_number"] == PERSON["personnel_number"]
    listed = run("list", "--json").stdout
    assert json.loads(listed)["cards"][0]["claims"]["name"] == PERSON["name"]
    assert "portrait" not in listed
    out = run("present", world.present_link, "--yes", "--open-return", "--json", *trust).stdout
    assert json.loads(out)["return_code"] == "482915"
    assert json.loads(out)["redirect_uri"].startswith(world.base)


def test_a_picture_instead_of_a_link(run, world, trust, tmp_path):
    received(run, world)
    (tmp_path / "qr.png").write_bytes(png(world.present_link))
    assert (
        "482915"
        in run("present", str(tmp_path / "qr.png"), "--yes", "--open-return", *trust).stdout
    )


def test_the_person_is_asked_and_no_is_the_default(run, world, trust):
    received(run, world)
    result = run("present", world.present_link, *trust, typed="\n", code=1)
    assert "Gongmu sign-in" in result.stderr
    assert "personnel_number" in result.stderr
    from tests.unit.idp_wallet.world import decrypted

    sent = decrypted(world.seen["response"]["response"], world.encryption)
    assert sent["error"] == "access_denied"
    assert "Shown to" in run("present", world.present_link, *trust, typed="y\n").stdout


def test_without_roots_nobody_is_believed(run, world):
    received(run, world)
    assert "--trust-anchors" in run("present", world.present_link, "--yes", code=2).output
    assert "response" not in world.seen


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("receive",),
        ("receive", "hello://x"),
        ("receive", "/no/such/picture.png"),
        ("receive", "openid4vp://?client_id=a&request_uri=https%3A%2F%2Fid.go.kr%2Fr"),
        ("receive", "x://y", "--ca-file", "/no/such.pem"),
        ("list", "surplus"),
    ],
)
def test_misuse_is_exit_code_2(arguments):
    assert CliRunner().invoke(wallet, arguments).exit_code == 2


def test_a_file_without_certificates_is_misuse(run, world, tmp_path):
    (tmp_path / "empty.pem").write_text("nothing")
    for option in ("--ca-file", "--trust-anchors"):
        run("receive", world.offer_link, option, str(tmp_path / "empty.pem"), code=2)


def test_failures_are_told_in_plain_words(run, world, trust):
    result = run("receive", world.offer_link, "--tx-code", "000000", code=1)
    assert result.stderr.startswith("Error: The issuer says that the code is wrong")
    result = run("present", world.present_link, "--yes", "--json", *trust, code=1)
    assert json.loads(result.stdout)["error"] == "nothing_to_show"
    gone = world.offer_link.replace("offer/1", "offer/2")
    assert "no longer there" in run("receive", gone, "--tx-code", "123456", code=1).stderr


def test_names_from_outside_cannot_steer_the_terminal(run, world):
    from tests.unit.idp_wallet.test_receive import put

    world.spoil["metadata"] = put("display", [{"name": "\x1b[2Jgone\nnext"}])
    out = received(run, world).stdout
    assert "\x1b" not in out
    assert "?[2Jgone?next" in out


def test_a_return_page_that_leads_away(run, world, trust):
    received(run, world)
    world.answer = (200, {"redirect_uri": f"{world.base}/vp/1/none"})
    out = run("present", world.present_link, "--yes", "--open-return", *trust).stdout
    assert "no return code" in out
