"""What people and wallets reach by HTTP. One login, hop by hop.

1. `oidc/authorize.py` checks the request, keeps it as `Started`, sends the browser to `/login/<id>`.
2. `login_pages.py` begins a method and shows the QR; the browser polls `/login/<id>/status`.
3. `wallet.py` answers the wallet: the signed request, then the presentation.
4. `wallet.py` serves the return address: the same browser is bound at once, another one is shown
   the return code, which the person types at the desk (`login_pages.py`).
5. `finish.py` makes the session, with its event, and sends the browser back to `/oauth/authorize?login=`.
"""
