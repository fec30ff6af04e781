"""Microsoft's presets: its cloud for organisations, its cloud for people, and Exchange on somebody's own machines."""

from __future__ import annotations

from datetime import date

from mailaccounts.presets.preset import CredentialEnd, ProviderLimits, ProviderPreset
from mailaccounts.presets.terse import in_countries, preset

_OUTLOOK = (
    "outlook.com hotmail.com live.com msn.com windowslive.com livemail.tw "
    + in_countries(
        "outlook",
        "at be cl cz de dk es fr hu ie in it jp kr lv my ph pt sa sg sk co.id co.il co.th com.ar com.au com.br com.gr "
        "com.tr com.vn",
    )
    + " "
    + in_countries(
        "hotmail",
        "be ca cl cz de dk es fi fr gr hu it lt lv my nl no ph rs se sg sk co.id co.il co.in co.jp co.kr co.th co.uk "
        "co.za com.ar com.au com.br com.hk com.tr com.tw com.vn",
    )
    + " "
    + in_countries(
        "live",
        "at be ca cl cn de dk fi fr hk ie in it jp nl no ru se co.jp co.kr co.uk co.za com.ar com.au com.mx com.my "
        "com.ph com.pt com.sg",
    )
)

PRESETS: tuple[ProviderPreset, ...] = (
    preset(
        slug="microsoft365",
        label="Microsoft 365",
        imap="outlook.office365.com",
        imap_hosts="outlook.office.com",
        smtp="smtp.office365.com:587",
        # The second kind is for domains with DNSSEC (learn.microsoft.com, "How SMTP DANE works").
        mx="mail.protection.outlook.com mx.microsoft",
        credentials=("xoauth2",),
        ends=(
            CredentialEnd(credential="password", on=date(2022, 12, 31), protocols=("imap",)),
            # SMTP AUTH: off by default from here on; an administrator may switch it on again for some time (Exchange
            # Team blog, 27 January 2026).
            CredentialEnd(credential="password", on=date(2026, 12, 31), protocols=("smtp",)),
        ),
        provider="microsoft",
        files_sent=True,
        limits=ProviderLimits(sent_per_minute=30, recipients_per_day=10_000),  # Exchange Online limits
        help_url="https://learn.microsoft.com/exchange/clients-and-mobile-in-exchange-online/pop3-and-imap4/"
        "enable-or-disable-pop3-or-imap4-access",
        consents_url="https://myapps.microsoft.com",  # the app's "Manage your application"
    ),
    preset(
        slug="outlook",
        label="Outlook.com",
        imap="outlook.office365.com",
        imap_hosts="imap-mail.outlook.com",
        smtp="smtp-mail.outlook.com:587",
        domains=_OUTLOOK,
        mx="olc.protection.outlook.com",
        credentials=("xoauth2",),
        ends=(
            CredentialEnd(credential="password", on=date(2024, 9, 16)),
            CredentialEnd(credential="app_password", on=date(2024, 9, 16)),
        ),
        provider="microsoft",
        files_sent=True,
        help_url="https://support.microsoft.com/office/d088b986-291d-42b8-9564-9c414e2aa040",
        consents_url="https://account.live.com/consent/Manage",
    ),
    ProviderPreset(
        slug="exchange",
        label="Exchange on your own servers",
        imap=None,  # whatever the administrator called it; the login name may also be DOMAIN\user
        credentials=("password",),
        help_url="https://learn.microsoft.com/exchange/clients/pop3-and-imap4/pop3-and-imap4",
    ),
)
