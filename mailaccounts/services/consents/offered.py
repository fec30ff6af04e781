"""Who offers OAuth to a mailbox that signs in with something typed. What has to be asked for was asked before."""

from __future__ import annotations

import time
from collections import defaultdict
from typing import TYPE_CHECKING

from mailaccounts.conf import settings
from mailaccounts.mail import records
from mailaccounts.models import Credential, CredentialState, MailAccount
from mailaccounts.presets import PRESETS, for_exchangers
from mailaccounts.services.connecting.detect import DNS_SECONDS, ascii_domain, provider_of

if TYPE_CHECKING:
    from mailaccounts.presets import ProviderPreset


def exchanger_of(account: MailAccount) -> ProviderPreset | None:
    """The provider that the domain's mail goes to, where it offers OAuth and isn't the one that the account reads
    from: the mailbox may have moved there, or be about to. Asks nobody."""
    known = (*settings.extra_presets, *PRESETS)
    preset = next((each for each in known if each.slug == account.exchanged_by), None)
    if preset is None or not preset.provider or preset.imap is None:
        return None
    current = provider_of(account)
    moved = preset.imap.host.lower() != account.imap_host.lower()
    return preset if moved and (current is None or current.slug != preset.slug) else None


def look_up_exchangers() -> int:
    """Asks the DNS where mail goes for the domains of accounts that sign in with something typed; how many domains.

    Nothing is known of a domain that didn't answer, and what was known stays.
    """
    typed = Credential.objects.filter(state=CredentialState.ACTIVE, secret__isnull=False)
    domains: dict[str, list[int]] = defaultdict(list)
    for pk, address in MailAccount.objects.filter(credentials__in=typed).values_list("pk", "address"):
        domains[ascii_domain(address)].append(pk)
    for domain, accounts in domains.items():
        told = records.ask(domain, deadline=time.monotonic() + DNS_SECONDS) if domain else records.Records()
        preset = for_exchangers(told.exchangers, extra=settings.extra_presets)
        if told.exchangers:
            MailAccount.objects.filter(pk__in=accounts).update(exchanged_by=preset.slug if preset else "")
    return len(domains)
