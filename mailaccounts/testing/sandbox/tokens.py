"""Whose a bearer token is: the mail servers' question to the identity provider (RFC 7662)."""

from __future__ import annotations

import json
import re
from urllib.parse import unquote, urlsplit

import requests

SECONDS = 20


class ProviderDown(Exception):
    """The identity provider did not answer the question; says nothing about the token."""


class Introspector:
    """Asks about tokens; safe to call from any thread."""

    def __init__(self, url: str, *, ca_file: str) -> None:
        """``url`` holds the mail server's own login: ``https://id:secret@host/…``."""
        parts = urlsplit(url)
        self._login = (unquote(parts.username or ""), unquote(parts.password or ""))
        self._url = parts._replace(netloc=f"{parts.hostname}:{parts.port}").geturl()
        self._ca_file = ca_file

    def owner(self, token: str) -> str:
        """Whose token it is, an address or APPLICATIONS; "" for one that isn't good. Raises ProviderDown."""
        with requests.Session() as session:
            session.trust_env = False
            try:
                answer = session.post(
                    self._url, data={"token": token}, auth=self._login, verify=self._ca_file, timeout=SECONDS
                )
                answer.raise_for_status()
                data = answer.json()
            except (requests.RequestException, ValueError):
                raise ProviderDown from None
        return str(data["email"]) if data.get("active") else ""


def read_bearer(mechanism: str, response: bytes) -> tuple[str, str]:
    """Address and token of an XOAUTH2 or OAUTHBEARER response; ValueError when it isn't one."""
    match = RESPONSES[mechanism].fullmatch(response.decode())
    if match is None:
        raise ValueError(f"not a response of {mechanism}")
    address = match["user"]
    if mechanism == "OAUTHBEARER":
        address = address.replace("=2C", ",").replace("=3D", "=")  # RFC 5801 §4
    return address, match["token"]


def refusal(mechanism: str) -> bytes:
    """The challenge that comes before the refusal of a token, as Dovecot words it."""
    return json.dumps(REFUSALS[mechanism]).encode()


TOKEN_MECHANISMS = ("XOAUTH2", "OAUTHBEARER")

RESPONSES = {
    "XOAUTH2": re.compile(r"user=(?P<user>[^\x01]+)\x01auth=bearer (?P<token>[^\x01]+)\x01\x01", re.IGNORECASE),
    "OAUTHBEARER": re.compile(
        r"n,a=(?P<user>[^,\x01]+),\x01(host=[^\x01]+\x01)?(port=\d+\x01)?auth=bearer (?P<token>[^\x01]+)\x01\x01",
        re.IGNORECASE,
    ),
}
REFUSALS = {
    "XOAUTH2": {"status": "401", "schemes": "bearer", "scope": "mail"},
    "OAUTHBEARER": {"status": "invalid_token", "scope": "mail"},
}
