"""The only source of randomness, so that tests and reviews look in one place."""

import secrets


def token(length: int = 32) -> str:
    """`length` random bytes as base64url without padding."""
    return secrets.token_urlsafe(length)


def digits(count: int) -> str:
    """`count` random decimal digits."""
    return f"{secrets.randbelow(10**count):0{count}d}"


def below(limit: int) -> int:
    """A random integer in [0, limit)."""
    return secrets.randbelow(limit)
