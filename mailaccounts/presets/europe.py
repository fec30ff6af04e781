"""Presets of providers in the rest of Europe."""

from __future__ import annotations

from mailaccounts.presets.preset import ProviderPreset, UsernameForm
from mailaccounts.presets.terse import preset

PRESETS: tuple[ProviderPreset, ...] = (
    preset(
        slug="orange",
        label="Orange",
        imap="imap.orange.fr",
        smtp="smtp.orange.fr",
        domains="orange.fr wanadoo.fr",
        help_url="https://assistance.orange.fr/",
    ),
    preset(
        slug="free",
        label="Free",
        imap="imap.free.fr",
        smtp="smtp.free.fr",
        domains="free.fr",
        username=UsernameForm.LOCAL_PART,
        help_url="https://assistance.free.fr/articles/configurer-de-maniere-avancee-mon-logiciel-de-messagerie-609",
    ),
    preset(
        slug="ovh",
        label="OVHcloud",
        imap="ssl0.ovh.net",  # MX Plan; help.ovhcloud.com, "MX Plan - configure an email client"
        smtp="ssl0.ovh.net",
        mx="mail.ovh.net",
        help_url="https://help.ovhcloud.com/",
    ),
    preset(
        slug="gandi",
        label="Gandi",
        imap="mail.gandi.net",  # docs.gandi.net, "Standard email configuration settings"
        smtp="mail.gandi.net",
        mx="mail.gandi.net",
        help_url="https://docs.gandi.net/en/gandimail/standard_email_settings/",
    ),
    preset(
        slug="infomaniak",
        label="Infomaniak",
        imap="mail.infomaniak.com",  # infomaniak.com/en/support/faq/admin2/email-service
        smtp="mail.infomaniak.com",
        domains="ik.me ikmail.com etik.com",
        mx="mta-gw.infomaniak.ch",
        credentials=("password", "app_password"),  # "device password" in the Infomaniak Manager
        help_url="https://www.infomaniak.com/en/support/faq/admin2/email-service",
    ),
    preset(
        slug="migadu",
        label="Migadu",
        imap="imap.migadu.com",
        smtp="smtp.migadu.com",
        mx="migadu.com",
        help_url="https://www.migadu.com/guides/imap/",
    ),
    preset(
        slug="libero",
        label="Libero",
        imap="imapmail.libero.it",
        smtp="smtp.libero.it",
        domains="libero.it iol.it blu.it inwind.it giallo.it",
        help_url="https://aiuto.libero.it/articolo/mail/parametri-di-configurazione-per-il-client-di-posta/",
    ),
    preset(
        slug="kpn",
        label="KPN",
        imap="imap.kpnmail.nl",
        smtp="smtp.kpnmail.nl",
        domains="kpnmail.nl kpnplanet.nl planet.nl wxs.nl hetnet.nl freeler.nl snelnet.net on.nl onsbrabantnet.nl "
        "onsmail.nl onsnet.nu onsneteindhoven.nl onsnetnuenen.nl xs4all.nl telfort.nl tip.nl tiscali.nl "
        "tiscalimail.nl",
        help_url="https://www.kpn.com/service/internet/e-mail/instellen-laptop-pc.htm",
    ),
    preset(
        slug="o2-pl",
        label="o2 Poczta",
        imap="poczta.o2.pl",
        smtp="poczta.o2.pl",
        domains="o2.pl go2.pl tlen.pl prokonto.pl",
        username=UsernameForm.LOCAL_PART,
        help_url="https://pomoc.o2.pl/aktywacja-dostepu-dla-programow-pocztowych",
    ),
)
