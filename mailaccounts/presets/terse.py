"""Presets written tersely."""

from __future__ import annotations

from typing import Any

from mailaccounts.mail.types import Endpoint
from mailaccounts.presets.preset import ProviderPreset


def preset(
    *, imap: str, smtp: str, domains: str = "", mx: str = "", imap_hosts: str = "", **fields: Any
) -> ProviderPreset:
    """Implicit TLS, SMTP on port 465 unless it says ``:587``, names separated by spaces."""
    scheme = "smtp+starttls" if smtp.endswith(":587") else "smtps"
    return ProviderPreset(
        imap=Endpoint.from_url(f"imaps://{imap}", protocol="imap"),
        smtp=Endpoint.from_url(f"{scheme}://{smtp}", protocol="smtp"),
        domains=tuple(domains.split()),
        mx=tuple(mx.split()),
        imap_hosts=tuple(imap_hosts.split()),
        **fields,
    )


def in_countries(name: str, endings: str) -> str:
    """``name`` under each of the endings."""
    return " ".join(f"{name}.{ending}" for ending in endings.split())
