"""Google's preset: Gmail and Google Workspace sign in at the same servers."""

from __future__ import annotations

from datetime import date

from mailaccounts.presets.preset import CredentialEnd, ProviderLimits, ProviderPreset
from mailaccounts.presets.terse import preset

PRESETS: tuple[ProviderPreset, ...] = (
    preset(
        slug="google",
        label="Google",
        imap="imap.gmail.com",
        imap_hosts="imap.googlemail.com",
        smtp="smtp.gmail.com",
        domains="gmail.com googlemail.com",
        # aspmx.l and its alternates, aspmx2 to 5.googlemail.com for older domains, smtp for those since 2023
        mx="aspmx.l.google.com gmail-smtp-in.l.google.com googlemail.com smtp.google.com",
        credentials=("xoauth2", "app_password"),
        # Personal accounts since 30 May 2022, Workspace since this day; support.google.com/a/answer/14114704.
        ends=(CredentialEnd(credential="password", on=date(2025, 5, 1)),),
        provider="google",
        files_sent=True,
        limits=ProviderLimits(  # support.google.com/a/answer/1071518
            connections=15,
            download_bytes_per_day=2_500 * 10**6,
            upload_bytes_per_day=500 * 10**6,
            message_bytes=35_882_577,  # SIZE in its answer to EHLO: attachments of 25 MB
        ),
        help_url="https://support.google.com/mail/answer/7126229",
        app_password_url="https://myaccount.google.com/apppasswords",
        consents_url="https://myaccount.google.com/connections",
    ),
)
