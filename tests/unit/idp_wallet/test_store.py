import json
from dataclasses import replace
from datetime import timedelta

import pytest

from idp_wallet.faults import StoreUnusable
from idp_wallet.keys import new_key
from idp_wallet.store import Store


def test_a_card_is_kept_privately(tmp_path, card):
    folder = tmp_path / "a" / "wallet"
    store = Store(folder)
    assert store.cards() == []
    store.save(card)
    assert folder.stat().st_mode & 0o777 == 0o700
    (file,) = folder.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    (again,) = store.cards()
    assert again.credential == card.credential
    assert again.key.as_dict(private=True) == card.key.as_dict(private=True)


def test_a_reissued_card_takes_the_place_of_the_former(tmp_path, card):
    store = Store(tmp_path / "w")
    later = replace(card, key=new_key(), received_at=card.received_at + timedelta(days=1))
    store.save(card)
    store.save(later)
    store.save(replace(card, issuer="https://other.go.kr"))
    assert [kept.received_at for kept in store.cards()] == [later.received_at, card.received_at]


def test_a_folder_open_to_others(tmp_path, card):
    folder = tmp_path / "open"
    folder.mkdir(mode=0o755)
    Store(folder).save(card)  # empty: it is ours to close
    assert folder.stat().st_mode & 0o777 == 0o700
    folder.chmod(0o750)
    with pytest.raises(StoreUnusable, match="chmod 700"):
        Store(folder).cards()
    with pytest.raises(StoreUnusable, match="chmod 700"):
        Store(folder).save(card)
    assert folder.stat().st_mode & 0o777 == 0o750


@pytest.mark.parametrize(
    "content", [b"", b"{}", b'{"credential":"x","key":"y","issuer":"z","received_at":"1"}']
)
def test_a_damaged_card(tmp_path, content):
    folder = tmp_path / "w"
    folder.mkdir(mode=0o700)
    (folder / "x.json").write_bytes(content)
    with pytest.raises(StoreUnusable, match="damaged"):
        Store(folder).cards()


def test_a_damaged_credential(tmp_path, card):
    store = Store(tmp_path / "w")
    store.save(card)
    (file,) = (tmp_path / "w").iterdir()
    document = json.loads(file.read_text())
    file.write_text(json.dumps(document | {"credential": "x"}))
    with pytest.raises(StoreUnusable, match="damaged"):
        store.cards()


def test_not_a_folder(tmp_path, card):
    file = tmp_path / "file"
    file.write_text("x")
    with pytest.raises(StoreUnusable):
        Store(file).cards()
    with pytest.raises(StoreUnusable):
        Store(file / "below").save(card)
