"""Zoho's presets. A customer's data is in one region, whose servers are the only ones that know it.

From Zoho's help pages on IMAP access and on delivery (zoho.com/mail/help): addresses of Zoho's own domains sign in at
``imap``, organisations with a domain of their own at ``imappro``.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

from mailaccounts.presets.terse import preset

if TYPE_CHECKING:
    from mailaccounts.presets.preset import ProviderPreset

# slug, name, domain of the servers and the exchangers, domains of addresses
_REGIONS = (
    ("", "United States", "zoho.com", "zoho.com zohomail.com"),
    ("-eu", "Europe", "zoho.eu", "zoho.eu zohomail.eu"),
    ("-in", "India", "zoho.in", "zoho.in zohomail.in"),
    ("-jp", "Japan", "zoho.jp", "zoho.jp zohomail.jp"),
    ("-au", "Australia", "zoho.com.au", "zoho.com.au zohomail.com.au"),
    ("-ca", "Canada", "zohocloud.ca", "zohocloud.ca zohomailcloud.ca"),
    ("-sa", "Saudi Arabia", "zoho.sa", "zoho.sa zohomail.sa"),
    ("-cn", "China", "zoho.com.cn", "zoho.com.cn zohomail.com.cn"),
)


def _region(slug: str, name: str, host: str, domains: str) -> tuple[ProviderPreset, ProviderPreset]:
    same: dict[str, Any] = {
        "credentials": ("password", "app_password"),  # with multi-factor sign-in the latter only
        "help_url": "https://www.zoho.com/mail/help/imap-access.html",
        "app_password_url": f"https://accounts.{host}/home#security/app_password",
    }
    return (
        preset(
            slug=f"zoho{slug}",
            label=f"Zoho ({name})",
            imap=f"imap.{host}",
            smtp=f"smtp.{host}",
            domains=domains,
            **same,
        ),
        preset(
            slug=f"zoho-pro{slug}",
            label=f"Zoho for organisations ({name})",
            imap=f"imappro.{host}",
            smtp=f"smtppro.{host}",
            mx=f"mx.{host} mx2.{host} mx3.{host}",
            **same,
        ),
    )


PRESETS: tuple[ProviderPreset, ...] = tuple(chain.from_iterable(_region(*region) for region in _REGIONS))
