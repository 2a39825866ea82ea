"""The directory of officials: an LDAP server or an LDIF file behind one question.

`settings.py` says where a source is and how its entries read. `source.py` fulfils `contracts.Directory` by
`searching.Session.search(base, filter, attributes)`, which `remote.py` answers from a server and
`ldif_file.py` from a file; both are held to `tests/contract/test_directory.py`. One `find` goes:

    source.find -> session.search (filters.py) -> entry.py -> state.py, groups.py -> Official

To a server: `remote.py` takes a connection from `pool.py`; `link.py` is the only module that imports ldap3,
and `wire.py` the socket below it, which ends every question in time and within a size.
"""

from idp_ldap.settings import LdapSettings, LdifSettings

__all__ = ["LdapSettings", "LdifSettings"]
