"""Where state lives: `short.py` (Redis) for what may be lost, `tables.py` and `sql.py` for the record.

Redis keys (every key has one hash tag, so a Cluster may be used; all expire by themselves):

    login:{<login id>}        state of a login (login.py)                      lifetimes.login_s
    handle:{<handle>}         login id of a handle in a QR                     lifetimes.login_s
    code:{<sha256 of code>}   authorization grant, taken once, then remembered lifetimes.code_s
    family:{<grant id>}       digests of a family's tokens (oidc/refresh.py)    lifetimes.refresh_total_s
    challenge:{<client>}<h>   PKCE challenges seen (A-026)                     600 s
    rate:{<what>}             counters
    mark:{events}             how many events SQL held (high_water.py)         90 days
    site:{<site>:<key>}       what a site keeps (offers, nonces)               its own
"""
