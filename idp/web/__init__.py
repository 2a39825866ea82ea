"""What people and wallets reach by HTTP. One login, hop by hop; each hop is one route, read in this order.

1. The browser comes to `/oauth/authorize`: `oidc/authorize.py` checks the request, keeps it as `Started`
   under the hash of this browser's cookie, and sends it to `/login/<id>`.
2. `login_pages.show` or `choose`: `method_pages.start` begins a method (`Waiting`), and the QR is shown
   (`qr_page.py`, `idp/frames.py`). Its frames carry a handle, never the login's id.
3. The wallet asks `/vp/<handle>/request`: `wallet.request_object`. The first frame pins the login.
4. The wallet posts `/vp/<handle>/response`: `wallet.presentation` has the method verify it, asks who it is
   and whether they may act (`finish.subject_of`, `finish.admitted`), and keeps `Proved`; or `Failed`, which
   the wallet does not learn. It is told where to send the phone's browser:
   `return_pages.return_address` binds the browser that began, or shows another one the return code.
5. Meanwhile the browser at the desk polls `/login/<id>/status`: `login_pages.status`, which only reads.
6. The code is typed: `login_pages.return_code` makes `Bound` of it. `finish.complete` then passes the gate
   once more, writes the session with its event in one transaction (`Finished`), sets the cookie and
   sends the browser back to `/oauth/authorize?login=<id>`.
7. and 8. The code and the tokens: `idp/oidc/__init__.py`, from its 2 on.

A passkey is 1, 2, 6: `browser_answer.py` verifies it and goes straight to `finish.complete`.
A browser that asks for the mobile ID itself does the same by `digital.py`, in place of 3 to 5.
Whatever fails is raised (`idp/errors.py`) and becomes a page or a document in `idp/problems.py`; what the
desk is told of a phone's trouble is `setback.py`. Whether an address asks too often: `idp/rates.py`.
"""
