"""Accounts on their way from a password to OAuth, as far as a test wants them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailaccounts.services.connecting.granted import kept_or_given_back
from mailaccounts.services.connecting.wish import Purpose, Wish
from mailaccounts.services.moving import migrate
from mailaccounts.services.registering import clients
from tests.sandbox_crm import issue

if TYPE_CHECKING:
    from mailaccounts.models import MailAccount, MigrationStep
    from tests.sandbox_fixtures import SandboxMailbox


def consented(account: MailAccount, mailbox: SandboxMailbox, wish: Wish | None = None) -> MigrationStep:
    """The mailbox's user has given consent; nothing is proven yet."""
    wish = wish or Wish.of(account, Purpose.SWITCH)
    client = clients.registered("microsoft")
    with kept_or_given_back(wish, issue(mailbox), client=client, backend="xoauth2") as granted:
        step = migrate.consented(account, granted, user=account.owner)
    assert step is not None
    return step


def moved(account: MailAccount, mailbox: SandboxMailbox) -> MigrationStep:
    """The whole way; the account is as it is then."""
    step = migrate.go_on(consented(account, mailbox))
    account.refresh_from_db()
    return step
