"""Presets of German providers."""

from __future__ import annotations

from mailaccounts.presets.preset import ProviderPreset, UsernameForm
from mailaccounts.presets.terse import in_countries, preset

PRESETS: tuple[ProviderPreset, ...] = (
    preset(
        slug="gmx",
        label="GMX",
        imap="imap.gmx.net",
        smtp="mail.gmx.net",
        domains=in_countries("gmx", "net de at ch eu biz org info") + " mein.gmx mail.gmx email.gmx",
        credentials=("password", "app_password"),  # with two-factor sign-in the latter only
        help_url="https://hilfe.gmx.net/pop-imap/einschalten.html",
        app_password_url="https://hilfe.gmx.net/sicherheit/2fa/anwendungsspezifisches-passwort.html",
    ),
    preset(
        slug="web-de",
        label="WEB.DE",
        imap="imap.web.de",
        smtp="smtp.web.de",
        domains="web.de email.de",
        username=UsernameForm.LOCAL_PART,
        credentials=("password", "app_password"),
        help_url="https://hilfe.web.de/pop-imap/einschalten.html",
        app_password_url="https://hilfe.web.de/sicherheit/2fa/anwendungsspezifisches-passwort.html",
    ),
    preset(
        slug="strato",
        label="STRATO",
        imap="imap.strato.de",
        imap_hosts="imap.strato.com",
        smtp="smtp.strato.de",
        domains="strato.de",
        mx="rzone.de",
        help_url="https://www.strato.de/faq/mail/externes-e-mail-programm-mit-strato-e-mail-adresse-nutzen/",
    ),
    preset(
        slug="ionos",
        label="IONOS",
        imap="imap.ionos.de",
        imap_hosts="imap.1und1.de",
        smtp="smtp.ionos.de",
        domains="ionos.de 1und1.de online.de onlinehome.de sofortstart.de sofort-start.de sofortsurf.de "
        "sofort-surf.de go4more.de",
        mx="ionos.de kundenserver.de schlund.de",
        credentials=("password", "app_password"),
        help_url="https://www.ionos.de/hilfe/index.php?id=2490",
    ),
    preset(
        slug="t-online",
        label="T-Online",
        imap="secureimap.t-online.de",
        smtp="securesmtp.t-online.de",
        domains="t-online.de magenta.de",
        credentials=("app_password",),  # "E-Mail-Passwort": the password of the web site is not for mail programs
        help_url="https://www.telekom.de/hilfe/apps-dienste/e-mail/einstellungen/posteingang-postausgang-server",
        app_password_url="https://www.telekom.de/hilfe/apps-dienste/e-mail/programme/passwort-verwalten",
    ),
    preset(
        slug="posteo",
        label="Posteo",
        imap="posteo.de",
        smtp="posteo.de",
        domains=in_countries(
            "posteo",
            "de at be ca ch cl co co.uk com com.br cr cz dk ee es eu fi gl gr hn hr hu ie in is it jp la li lt lu me "
            "mx my net nl no nz org pe pl pm pt ro se sg si tn uk us",
        ),
        help_url="https://posteo.de/hilfe/wie-richte-ich-posteo-in-einem-mailprogramm-ein-pop3-imap-und-smtp",
    ),
    preset(
        slug="mailbox-org",
        label="mailbox.org",
        imap="imap.mailbox.org",
        smtp="smtp.mailbox.org",
        domains="mailbox.org",
        mx="mailbox.org",
        credentials=("password", "app_password"),  # with two-factor sign-in the latter only
        help_url="https://kb.mailbox.org/de/privat/e-mail/e-mail-konfiguration/",
        app_password_url="https://kb.mailbox.org/de/privat/sicherheit-und-privatsphaere/"
        "applikationspasswoerter-fuer-externe-programme/",
    ),
    preset(
        slug="freenet",
        label="freenet Mail",
        imap="mx.freenet.de",
        smtp="mx.freenet.de",
        domains="freenet.de",
        help_url="https://kundenservice.freenet.de/faq/e-mail-client-mail/pop3-imap-und-smtp-aktivieren/",
    ),
    preset(
        slug="hetzner",
        label="Hetzner",
        imap="mail.your-server.de",
        smtp="mail.your-server.de",
        mx="your-server.de",
    ),
)
