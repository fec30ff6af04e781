"""Why an account should switch to OAuth, in words: what its provider offers, has announced or has just refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mailaccounts.services.connecting.detect import provider_of
from mailaccounts.services.consents import consent
from mailaccounts.services.consents.offered import exchanger_of
from mailaccounts.services.registering import clients
from mailaccounts.views.describe import names
from mailaccounts.views.health import announcement

if TYPE_CHECKING:
    from mailaccounts.models import MailAccount
    from mailaccounts.presets import ProviderPreset
    from mailaccounts.views.describe import Method

REFUSED = frozenset(
    {"password_rejected", "app_password_needed", "admin_action_needed", "browser_sign_in_needed", "capability_missing"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Banner:
    """``why`` is a sentence, ``ends`` what the provider has announced for passwords ("" for nothing). Without a
    registration there is nothing to press, and ``missing`` says what is in the way."""

    why: str
    ends: str
    missing: str
    urgent: bool


def banner(account: MailAccount, current: Method | None) -> Banner | None:
    """What the account's page says of OAuth; None for one that has it, or whose provider isn't known to offer it.

    Asks nobody: what is known of the server and the domain was learnt before.
    """
    if current is None or current.consented:
        return None
    preset, exchanger = provider_of(account), exchanger_of(account)
    offers = consent.offers(account)
    refused = account.status_code in REFUSED
    ends = _ends(preset, current)
    why = _why(account, preset, exchanger, refused=refused, offered=names(offer.label for offer in offers))
    if not why:
        return None
    missing = ""
    if not offers and exchanger is None:
        if preset is None or not preset.provider or not (refused or ends):
            return None
        missing = (
            f"This installation isn't registered with {clients.label(preset.provider)} yet. "
            "Whoever runs it can add an app registration."
        )
    return Banner(why=why, ends=ends, missing=missing, urgent=refused)


def _why(
    account: MailAccount,
    preset: ProviderPreset | None,
    exchanger: ProviderPreset | None,
    *,
    refused: bool,
    offered: str,
) -> str:
    """The strongest reason first; "" for none."""
    by_provider = preset is not None and bool(preset.provider)
    if refused and (by_provider or account.takes_tokens or exchanger):
        return f"{account.imap_host} has just refused the password. Signing in with OAuth needs none."
    if exchanger is not None:
        domain = account.address.rpartition("@")[2]
        return f"Mail for {domain} goes to {exchanger.label}, which offers OAuth: this mailbox may have moved there."
    if preset is not None and by_provider:
        return f"{offered or preset.label} offers OAuth: you sign in there, and we never see your password again."
    if account.takes_tokens and offered:
        return f"{account.imap_host} offers OAuth: you sign in at {offered}, and we never see your password again."
    return ""


def _ends(preset: ProviderPreset | None, current: Method) -> str:
    end = preset.end_of(current.backend) if preset else None
    return announcement(preset.label, current.backend, end) if preset and end else ""
