"""The table of docs/providers.md is the presets, row by row."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mailaccounts.presets import PRESETS, UsernameForm

if TYPE_CHECKING:
    from mailaccounts.mail.types import Endpoint
    from mailaccounts.presets import ProviderPreset

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "providers.md"
CREDENTIALS = {"xoauth2": "OAuth", "app_password": "app password", "password": "password"}
HEAD = (
    "| provider | servers | user name | signs in with, best first | own domains by MX | files sent mail | to know |\n"
    "|---|---|---|---|---|---|---|\n"
)


def table() -> str:
    """The rows as the document has them; run this file to print them."""
    return HEAD + "".join(f"| {' | '.join(row(preset))} |\n" for preset in PRESETS)


def row(preset: ProviderPreset) -> tuple[str, ...]:
    label = f"[{preset.label}]({preset.help_url})" if preset.help_url else preset.label
    servers = " ".join(server(each) for each in (preset.imap, preset.smtp) if each) or "by hand"
    mx = " ".join(f"`{name}`" for name in preset.mx)
    form = "local part" if preset.username is UsernameForm.LOCAL_PART else "address"
    credentials = ", ".join(credential(each, preset) for each in preset.credentials)
    return label, servers, form, credentials, mx, "yes" if preset.files_sent else "no", "; ".join(remarks(preset))


def server(endpoint: Endpoint) -> str:
    return f"`{endpoint.url}`"


def credential(slug: str, preset: ProviderPreset) -> str:
    linked = slug == "app_password" and preset.app_password_url
    return f"[{CREDENTIALS[slug]}]({preset.app_password_url})" if linked else CREDENTIALS[slug]


def remarks(preset: ProviderPreset) -> list[str]:
    limits = preset.limits
    ends = [
        f"{CREDENTIALS[end.credential]} ({'/'.join(end.protocols)}) until {end.on.isoformat()}" for end in preset.ends
    ]
    told = {
        f"{limits.connections} connections": limits.connections,
        f"{(limits.download_bytes_per_day or 0) / 1e6:.0f} MB down a day": limits.download_bytes_per_day,
        f"{(limits.upload_bytes_per_day or 0) / 1e6:.0f} MB up a day": limits.upload_bytes_per_day,
        f"{limits.messages_per_command} messages a command": limits.messages_per_command,
        f"{limits.sent_per_minute} sent a minute": limits.sent_per_minute,
        f"{limits.recipients_per_day} recipients a day": limits.recipients_per_day,
    }
    return ends + [words for words, number in told.items() if number is not None]


def test_the_table_of_providers_is_the_presets() -> None:
    assert table() in DOCUMENT.read_text(encoding="utf-8")


if __name__ == "__main__":
    print(table())  # noqa: T201 - this is how the table gets into the document
