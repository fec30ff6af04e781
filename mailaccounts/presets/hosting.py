"""Presets of hosting companies, whose customers have domains of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailaccounts.presets.terse import preset

if TYPE_CHECKING:
    from mailaccounts.presets.preset import ProviderPreset

PRESETS: tuple[ProviderPreset, ...] = (
    preset(
        slug="ionos-com",
        label="IONOS.com",
        imap="imap.ionos.com",
        imap_hosts="imap.1and1.com",
        smtp="smtp.ionos.com",
        domains="ionos.com 1and1.com",
        mx="ionos.com 1and1.com perfora.net",
        credentials=("password", "app_password"),
        help_url="https://www.ionos.com/help/index.php?id=2490",
    ),
    preset(
        slug="rackspace",
        label="Rackspace",
        imap="secure.emailsrvr.com",
        smtp="secure.emailsrvr.com",
        domains="emailsrvr.com",
        mx="emailsrvr.com",
    ),
    # Hosts and exchangers of the next two: nylas/sync-engine, inbox/providers.py.
    preset(
        slug="godaddy",
        label="GoDaddy Workspace",
        imap="imap.secureserver.net",
        smtp="smtpout.secureserver.net",
        mx="secureserver.net",
    ),
    preset(
        slug="namecheap",
        label="Namecheap Private Email",
        imap="mail.privateemail.com",
        smtp="mail.privateemail.com:587",
        mx="privateemail.com",
    ),
)
