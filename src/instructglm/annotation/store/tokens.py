"""Tokens of sessions and links: told once, kept as SHA-256 (256 random bits need no slow hash), in no log."""

from __future__ import annotations

import hashlib
import secrets

_TOKEN_BYTES = 32


def new_token() -> str:
    """A text that nobody can guess."""
    return secrets.token_urlsafe(_TOKEN_BYTES)


def token_hash(token: str) -> str:
    """What is kept of a token, and found again by it."""
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()
