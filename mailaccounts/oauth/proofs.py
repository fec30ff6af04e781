"""What a registration proves itself with: whether it can be used, and what people compare it with a console by."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.hashes import SHA1, SHA256

from mailaccounts.oauth.certificate import has_ended, parse_certificate, parse_private_key

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

MOST_CHARACTERS = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What may be shown of a secret: ``told`` by name, and the day it ends where it says so itself.

    ``client_id`` is who it proves to be, where that is in it.
    """

    told: tuple[tuple[str, str], ...] = ()
    expires_on: date | None = None
    client_id: str = ""


def read(proof: str, text: str) -> Facts:
    """The facts of a secret of the kind ``proof``; ValueError says in words, without the secret, why it is no use."""
    if len(text) > MOST_CHARACTERS:
        raise ValueError("This is too long for a secret or a key.")
    return _READERS[proof](text)


def _secret(text: str) -> Facts:
    if not text.isprintable() or " " in text:
        raise ValueError("A client secret is one word, without spaces and line breaks.")
    return Facts()


def _certificate(text: str) -> Facts:
    _, certificate = parse_certificate(text)
    ends = certificate.not_valid_after_utc.date()
    if has_ended(certificate):
        raise ValueError(f"The certificate ended on {ends.isoformat()}.")
    return Facts(
        told=(
            ("Thumbprint (SHA-1)", certificate.fingerprint(SHA1()).hex().upper()),  # noqa: S303 - as Entra names it
            ("Thumbprint (SHA-256)", certificate.fingerprint(SHA256()).hex().upper()),
        ),
        expires_on=ends,
    )


def _service_account(text: str) -> Facts:
    """The JSON that Google's console gives out with a new key."""
    no_key_file = "This isn't the JSON file of a service account's key."
    try:
        content = json.loads(text)
        kind, address, number = content["type"], content["client_email"], content["client_id"]
        key_id, pem = content["private_key_id"], content["private_key"]
    except (ValueError, TypeError, LookupError, RecursionError):
        raise ValueError(no_key_file) from None
    if kind != "service_account" or not all(_is_shown(each) for each in (address, number, key_id)):
        raise ValueError(no_key_file)
    parse_private_key(str(pem))
    told = (("Service account", address), ("Client ID for domain-wide delegation", number), ("Key ID", key_id))
    return Facts(told=told, client_id=address)


def _is_shown(value: object) -> bool:
    return isinstance(value, str) and value.isprintable()


_READERS: dict[str, Callable[[str], Facts]] = {
    "secret": _secret,
    "certificate": _certificate,
    "service_account": _service_account,
}
