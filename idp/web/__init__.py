"""What people and wallets reach by HTTP. One login, hop by hop, read in this order.

What `services()` holds is `idp/services.py`. `idp/app.py` builds it, the `Kit` by which plugins call back
(`idp/contracts/kit.py`), and the parts that pyproject.toml names as entry points: here the method is
`plugins/idp_mobile_id`, the directory `adapters/idp_ldap`, the adapter of the relying party `adapters/idp_mail`.
What a login may be is `idp/login.py`, where it is kept `idp/logins.py`.

1. The browser comes to `/oauth/authorize`, which like `/oauth/token` and polls enters by
   `idp/fast_path/__init__.py`: `idp/oidc/authorize.py` (`idp/oidc/__init__.py`, its 1) checks the request, keeps
   it as `Started`, bound to this browser by the hash of its cookie (`idp/login_start.py`), and sends it to
   `/login/<id>`.
2. `login_pages.show`, through `method_pages.opened`: the usual method is begun (`method_pages.start` has the
   plugin's `begin` make its key and state, and makes `Waiting`; `login_pages.choose` does where a person picks
   one), and `method_pages.show` draws its page. The link in the QR (`qr_page.py`) carries a handle and a frame
   (`idp/frames.py`), never the login's id.
3. The wallet asks `/vp/<handle>/request`: `wallet.request_object`; the plugin's `request.py` builds what is
   signed. The first frame that is fetched pins the login.
4. The wallet posts `/vp/<handle>/response`: `wallet.presentation`; the plugin's `response.py` verifies it, and
   its `status.py` asks our register whether the mobile ID lives (`idp/cutoff/register.py`). `wallet._decide`
   asks who that is (`people.find`, the directory's `source.py`) and whether they may enter (the gate:
   `admission.py`), and keeps `Proved`; or `Failed`, which the wallet does not learn. It is told where to send
   the phone's browser: `return_pages.return_address` shows it the return code, or, where it is the browser that
   began, makes `Bound` of the login and goes to `finish.complete` of 6.
5. Meanwhile the browser at the desk polls `/login/<id>/status`: `login_pages.status`, which only reads (while
   nothing happens `idp/fast_path/polls.py` says the same in its place). `templates/assets/login.js` follows `next`
   once there is one: to `login_pages.show` again.
6. `login_pages.show` asks for the return code, and `login_pages.return_code` makes `Bound` of the right one;
   where no code is needed, `finish.as_bound` does. `finish.complete` passes the gate once more, keeps
   `Finished`, writes the session with its event in one transaction (`idp/sessions.py`; `session_starts.py` asks
   for cut-offs and for the mobile ID there), sets the cookie, and sends the browser back to
   `/oauth/authorize?login=<id>`; by way of `browser_answer.tell` when the person's passkeys have changed
   (`news.py`).
7. The code: `idp/oidc/__init__.py`, its 2 and 3.
8. The tokens: the same, its 4.

A passkey is 1, 2, 6 to 8: `browser_answer.py` verifies it and goes straight to `finish.complete`.
A browser that asks for the mobile ID itself does the same by `digital.py`, in place of 3 to 5.
Whatever fails is raised (`idp/errors.py`) and becomes a page or a document in `idp/problems.py`; what the
desk is told of a phone's trouble is `setback.py`. Whether an address asks too often: `idp/rates.py`.
"""
