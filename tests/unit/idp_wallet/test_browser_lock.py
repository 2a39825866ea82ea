"""The PIN before the card, by its module: what is weak, how tries are counted, what is erased."""

import pytest
from playwright.sync_api import Page

from tests.unit.idp_wallet.test_browser_modules import call
from tests.unit.idp_wallet.world import World

pytestmark = pytest.mark.browser
PIN = "204817"
SET = "await m.set(a[0]);"
STORED = """
  const { run } = await import('/assets/wallet/database.js');
  const kept = {};
  for (const store of ['cards', 'lock', 'history']) {
    kept[store] = (await run(store, 'readonly', (s) => s.getAll())).length;
  }
  return kept;
"""


@pytest.fixture
def page(phone: Page, served_wallet: World) -> Page:
    phone.goto(f"{served_wallet.base}/assets/wallet/icon.svg")
    return phone


WEAK = "000000 111111 999999 123456 012345 654321 567890 987654 890123 123123 121212 707070 314314"


@pytest.mark.parametrize("pin", WEAK.split())
def test_a_weak_pin(page, pin):
    assert call(page, "lock.js", "return m.isWeak(a[0]);", pin)


@pytest.mark.parametrize("pin", [PIN, "135792", "100000", "123457", "112233", "246802"])
def test_a_pin_that_will_do(page, pin):
    assert call(page, "lock.js", "return m.isWeak(a[0]);", pin) is False


def test_the_right_pin_opens_and_forgets_the_wrong_ones(page):
    body = f"""{SET}
      const wrong = await m.tryPin('204818');
      const between = await m.read();
      return [wrong, between.left, await m.tryPin(a[0]), (await m.read()).left];
    """
    assert call(page, "lock.js", body, PIN) == [
        {"open": False, "left": 4},
        4,
        {"open": True, "left": 5},
        5,
    ]


FILL = """
  const { run } = await import('/assets/wallet/database.js');
  const keys = await (await import('/assets/wallet/keys.js')).newKey();
  await run('cards', 'readwrite', (s) => s.put({ id: 'x', keys }));
  await run('history', 'readwrite', (s) => s.put({ at: 1 }));
"""


def test_five_wrong_tries_erase_everything(page):
    call(page, "lock.js", SET + FILL, PIN)
    left = [call(page, "lock.js", "return (await m.tryPin('999990')).left;") for _ in range(4)]
    assert left == [4, 3, 2, 1]
    assert call(page, "lock.js", STORED) == {"cards": 1, "lock": 1, "history": 1}
    assert call(page, "lock.js", "return m.tryPin('999990');") == {"open": False, "left": 0}
    assert call(page, "lock.js", STORED) == {"cards": 0, "lock": 0, "history": 0}


def test_tries_at_the_same_moment_each_count(page):
    body = f"{SET} return Promise.all([...Array(8)].map(() => m.tryPin('999990')));"
    answers = call(page, "lock.js", FILL + body, PIN)
    assert not any(answer["open"] for answer in answers)
    assert call(page, "lock.js", STORED) == {"cards": 0, "lock": 0, "history": 0}


def test_the_right_pin_comes_too_late_after_five(page):
    """A page closed between the count and the judgement: the count stays."""
    body = f"""{SET}
      const {"{ change }"} = await import('/assets/wallet/database.js');
      await change('lock', 'pin', (lock) => ({{ ...lock, tries: 5 }}));
      return m.tryPin(a[0]);
    """
    assert call(page, "lock.js", FILL + body, PIN) == {"open": False, "left": 0}
    assert call(page, "lock.js", STORED)["cards"] == 0


def test_an_erasure_that_was_interrupted_is_finished_on_opening(page):
    body = f"""{SET}
      const {"{ change }"} = await import('/assets/wallet/database.js');
      await change('lock', 'pin', (lock) => ({{ ...lock, tries: 5 }}));
      return m.read();
    """
    assert call(page, "lock.js", FILL + body, PIN) == {"left": 0}
    assert call(page, "lock.js", STORED) == {"cards": 0, "lock": 0, "history": 0}


def test_the_pin_itself_is_not_kept(page):
    body = f"""{SET}
      const {{ run }} = await import('/assets/wallet/database.js');
      const lock = await run('lock', 'readonly', (s) => s.get('pin'));
      return [Object.keys(lock).sort(), lock.salt.length, lock.hash.length];
    """
    assert call(page, "lock.js", body, PIN) == [
        ["hash", "id", "passkey", "salt", "tries"],
        16,
        32,
    ]


def test_a_wallet_of_the_version_before_keeps_its_cards(page):
    old = """
      await new Promise((resolve) => {
        const request = indexedDB.open('gongmu-wallet', 1);
        request.onupgradeneeded = () => request.result.createObjectStore('cards', { keyPath: 'id' });
        request.onsuccess = () => {
          const writing = request.result.transaction('cards', 'readwrite');
          writing.objectStore('cards').put({ id: 'old' });
          writing.oncomplete = () => { request.result.close(); resolve(); };
        };
      });
    """
    assert call(page, "lock.js", old + STORED) == {"cards": 1, "lock": 0, "history": 0}


def test_the_history_is_bounded_and_newest_first(page):
    body = """
      for (let i = 0; i < 205; i += 1) {
        await m.add({ verifier: String(i), host: 'h' }, ['name'], 'accepted');
      }
      const found = await m.list();
      await m.clear();
      return [found.length, found[0].verifier, (await m.list()).length];
    """
    length, newest, after = call(page, "history.js", body)
    assert (length, newest, after) == (200, "204", 0)


def test_two_entries_in_one_millisecond_are_two(page):
    body = """
      const now = Date.now;
      Date.now = () => 1800000000000;
      try {
        for (const name of ['a', 'b']) await m.add({ verifier: name, host: 'h' }, [], 'accepted');
        Date.now = () => 1700000000000;  // the clock is set back
        await m.add({ verifier: 'c', host: 'h' }, [], 'accepted');
      } finally {
        Date.now = now;
      }
      const found = await m.list();
      await m.clear();
      return found.map((entry) => entry.verifier);
    """
    assert call(page, "history.js", body) == ["c", "b", "a"]


def test_a_late_word_about_the_former_card_does_not_touch_the_new_one(page):
    body = """
      const { run } = await import('/assets/wallet/database.js');
      await run('cards', 'readwrite', (s) => s.put({ id: 'x', credential: 'new' }));
      await m.keepStatus({ id: 'x', credential: a[0] }, { state: 'revoked', at: 1 });
      return run('cards', 'readonly', (s) => s.get('x'));
    """
    assert call(page, "cards.js", body, "old") == {"id": "x", "credential": "new"}
    assert call(page, "cards.js", body, "new")["confirmed"] == {"state": "revoked", "at": 1}
