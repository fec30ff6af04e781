"""What the host decides. A CRM subclasses ``Hooks`` and names it in MAILACCOUNTS["HOOKS"]."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.mail import get_connection, send_mail
from django.db.models import Q
from django.utils.module_loading import import_string

from mailaccounts.conf import settings
from mailaccounts.rules.folding import LONGEST_LABEL, fold_domain, fold_local, storable

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from django.http import HttpRequest, HttpResponse

    from mailaccounts.models import MailAccount, OAuthClient


__all__ = ["LONGEST_LABEL", "Hooks", "fold_domain", "fold_local", "hooks", "storable"]


MAIL_SECONDS = 10  # that the host's mail server may say nothing: a worker that waits for it is killed


class Hooks:
    """The cautious host: knows nobody, and lets only owners see their accounts."""

    def known_addresses(self, account: MailAccount, addresses: Collection[str]) -> set[str]:
        """Those of ``addresses`` (lower case) that are contacts whose mail this account may store.

        Called once per batch of headers (10,000 addresses at most), so one query must answer it. Own users and barred
        domains never count.
        """
        return set()

    def written(self, pattern: str, *, column: str = "address") -> Q:
        """The addresses, as a condition on a ``column`` in lower case, that are the one ``pattern``, however it is
        written there; or, for ``@domain``, those at this domain and at the ones below it."""
        pattern = pattern.strip().lower()
        if pattern.startswith("@"):
            return Q(**{f"{column}__endswith": pattern}) | Q(**{f"{column}__endswith": f".{pattern[1:]}"})
        return Q(**{column: pattern})

    def passed_over(self, account: MailAccount, addresses: Collection[str]) -> set[str]:
        """Those of ``addresses`` (lower case) that never count, whoever knows them: those of own users and in barred
        domains. Only for the ledger, which tells mail among colleagues from mail with nobody known; called once per
        batch of headers, so one query must answer it. As we know it, the account's own."""
        return {account.address.lower()}.intersection(addresses)

    def names_of(self, user: Any, addresses: Collection[str]) -> Mapping[str, str]:
        """What the host calls the contacts at ``addresses``, to ``user``; those it has no name for are left out."""
        return {}

    def can_manage(self, user: Any, account: MailAccount) -> bool:
        """Whether ``user`` may change, switch or disconnect the account."""
        return bool(account.owner_id == user.pk)

    def shares_with(self, user: Any) -> Q:
        """The accounts, as a condition on MailAccount, whose owners' sharing reaches ``user``: what of their mail this
        shows is for each owner to say (``MailAccount.visibility``). Nobody's, unless the host says so."""
        return Q(pk__in=())

    def heir_of(self, account: MailAccount) -> Any | None:
        """The user to whom the mail of a deactivated owner's ``account`` is handed over where DEPARTED_MAIL says so:
        what colleagues could see of it, to be read. None keeps it as it is."""
        return None

    def notify_owner(self, account: MailAccount, *, subject: str, text: str) -> None:
        """Tells the account's owner that it needs them: by mail, if they have an address.

        Called once each time an account, or a message that they sent, begins to need its owner or an administrator,
        and for each invitation and reminder of a campaign, by a worker. What is raised is logged, and the notice tried
        again minutes later.
        """
        address = getattr(account.owner, account.owner.get_email_field_name(), "")
        if address:
            send_mail(subject, text, None, [address], connection=get_connection(timeout=MAIL_SECONDS))

    def redirects(self, client: OAuthClient) -> Mapping[str, str]:
        """Further paths of the host that the provider sends people back to with this registration, by what they are
        for: "signing in", say. An administrator is shown them, for the provider has to know them all."""
        return {}

    def reauthenticate(self, request: HttpRequest) -> HttpResponse | None:
        """The way to prove once more that it is still the user who sits there, or None when that was proven lately.

        Asked before a page that changes how a mailbox is reached. Only the host knows how its users sign in.
        """
        return None


def hooks() -> Hooks:
    """The host's hooks. ImportError or TypeError for a bad path, which the system checks report in words."""
    found = import_string(settings.hooks)()
    if not isinstance(found, Hooks):
        raise TypeError(f"{settings.hooks} is not a mailaccounts.hooks.Hooks")
    return found
