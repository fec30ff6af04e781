"""Presets of providers with customers everywhere."""

from __future__ import annotations

from mailaccounts.presets.preset import ProviderLimits, ProviderPreset, UsernameForm
from mailaccounts.presets.terse import in_countries, preset

PRESETS: tuple[ProviderPreset, ...] = (
    preset(
        slug="yahoo",
        label="Yahoo",
        imap="imap.mail.yahoo.com",
        smtp="smtp.mail.yahoo.com",
        domains="ymail.com rocketmail.com myyahoo.com "
        + in_countries("yahoo", "com de it fr es se co.in co.uk co.nz com.au com.ar com.br com.mx"),
        mx="am0.yahoodns.net",
        credentials=("app_password",),  # OAuth only under a signed agreement with Yahoo
        limits=ProviderLimits(messages_per_command=1_000),  # the server says MESSAGELIMIT=1000
        help_url="https://help.yahoo.com/kb/SLN15241.html",
        app_password_url="https://login.yahoo.com/account/security",
    ),
    preset(
        slug="aol",
        label="AOL",
        imap="imap.aol.com",
        smtp="smtp.aol.com",
        domains="aim.com netscape.net netscape.com compuserve.com cs.com wmconnect.com "
        + in_countries("aol", "com de it fr es se co.uk co.nz com.au com.ar com.br com.mx"),
        mx="mx-aol.mail.gm0.yahoodns.net",
        credentials=("app_password",),
        limits=ProviderLimits(messages_per_command=1_000),  # Yahoo's servers
        help_url="https://help.aol.com/articles/Create-and-manage-app-password",
        app_password_url="https://login.aol.com/account/security",
    ),
    preset(
        slug="icloud",
        label="iCloud",
        imap="imap.mail.me.com",
        smtp="smtp.mail.me.com:587",
        domains="icloud.com me.com mac.com",
        mx="mail.icloud.com",
        # Apple names the local part for IMAP and the address for SMTP; one name has to do, and IMAP takes both.
        username=UsernameForm.ADDRESS,
        credentials=("app_password",),
        help_url="https://support.apple.com/102654",
        app_password_url="https://account.apple.com/account/manage",
    ),
    preset(
        slug="fastmail",
        label="Fastmail",
        imap="imap.fastmail.com",
        imap_hosts="mail.messagingengine.com",
        smtp="smtp.fastmail.com",
        domains="fastmail.com fastmail.fm",
        mx="messagingengine.com",
        credentials=("app_password",),
        help_url="https://www.fastmail.help/hc/en-us/articles/1500000278342",
        app_password_url="https://www.fastmail.help/hc/en-us/articles/360058752854",
    ),
    preset(
        slug="gmx-com",
        label="GMX.com",
        imap="imap.gmx.com",
        smtp="mail.gmx.com",
        domains="gmx.com gmx.us gmx.co.uk",
        credentials=("password", "app_password"),  # with two-factor sign-in the latter only
        help_url="https://support.gmx.com/pop-imap/toggle.html",
        app_password_url="https://support.gmx.com/security/2fa/application-specific-passwords.html",
    ),
    preset(
        slug="mail-com",
        label="mail.com",
        imap="imap.mail.com",
        smtp="smtp.mail.com",
        domains="mail.com mail.org email.com post.com usa.com europe.com consultant.com engineer.com dr.com "
        "accountant.com linuxmail.org myself.com iname.com writeme.com techie.com london.com",
        mx="mx00.mail.com mx01.mail.com",
        credentials=("password", "app_password"),
        help_url="https://support.mail.com/",
        app_password_url="https://support.mail.com/security/2fa/application-specific-passwords.html",
    ),
    preset(
        slug="yandex",
        label="Yandex",
        imap="imap.yandex.com",
        imap_hosts="imap.yandex.ru",
        smtp="smtp.yandex.com",
        domains="ya.ru narod.ru " + in_countries("yandex", "ru com net by kz ua"),
        mx="mx.yandex.net mx.yandex.ru",
        credentials=("app_password",),
        help_url="https://yandex.com/support/mail/mail-clients/others.html",
        app_password_url="https://id.yandex.com/security/app-passwords",
    ),
    preset(
        slug="mail-ru",
        label="Mail.ru",
        imap="imap.mail.ru",
        smtp="smtp.mail.ru",
        domains="mail.ru inbox.ru list.ru bk.ru corp.mail.ru",
        mx="mxs.mail.ru emx.mail.ru",
        credentials=("app_password",),
        help_url="https://help.mail.ru/mail/mailer/popsmtp",
        app_password_url="https://account.mail.ru/user/2-step-auth/passwords",
    ),
)
