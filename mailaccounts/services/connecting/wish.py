"""What a person wants of a consent: kept with the attempt, and good for starting the same one again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from mailaccounts.mail.types import Endpoint
from mailaccounts.services.connecting.account_draft import AccountDraft
from mailaccounts.services.connecting.identity import is_shared
from mailaccounts.services.signing_in.credentials import in_use

if TYPE_CHECKING:
    from mailaccounts.models import MailAccount


class Purpose(StrEnum):
    """What a consent is for."""

    CONNECT = "connect"  # a mailbox that isn't connected yet
    SWITCH = "switch"  # an account that signs in with something else
    RECONNECT = "reconnect"  # an account whose sign-in ended, or whose owner wants a new one
    SEND = "send"  # an account that only reads so far


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """``draft`` is the account as it shall be: without an SMTP server it only reads, and nobody is asked for leave to
    send. ``shared``: the mailbox is not that of the person who signs in. ``leaves`` is the IMAP server that an account
    moves away from, None for one that stays where it is."""

    purpose: Purpose
    draft: AccountDraft
    shared: bool = False
    leaves: Endpoint | None = None

    @property
    def sends(self) -> bool:
        return self.draft.smtp is not None

    @property
    def mailbox(self) -> str:
        """What the mail server is asked to open: providers want a full address, which a user name need not be."""
        named = self.draft.username
        return named if "@" in named and not self.shared else self.draft.address

    @classmethod
    def of(cls, account: MailAccount, purpose: Purpose, *, shared: bool | None = None) -> Wish:
        """For an account as it is now; ``shared`` is what it was, unless said otherwise."""
        credential = in_use(account)
        draft = AccountDraft(
            owner=account.owner,
            address=account.address,
            username=credential.username if credential else "",
            imap=account.imap,
            smtp=account.smtp,
            since=account.since,
        )
        return cls(purpose=purpose, draft=draft, shared=is_shared(account) if shared is None else shared)

    def sending(self, *, through: Endpoint | None) -> Wish:
        """The same, but to send through that server; None to only read."""
        return replace(self, draft=replace(self.draft, smtp=through))

    def moving_to(self, imap: Endpoint, smtp: Endpoint | None) -> Wish:
        """The same, but on other servers; it sends only if it did. A login name of the old server means nothing there,
        unless it is an address."""
        draft = replace(self.draft, imap=imap, smtp=smtp if self.sends else None)
        return replace(self, draft=draft, leaves=self.draft.imap if imap != self.draft.imap else None)

    def as_json(self) -> dict[str, Any]:
        draft = self.draft
        return {
            "purpose": self.purpose.value,
            "shared": self.shared,
            "address": draft.address,
            "username": draft.username,
            "imap": draft.imap.url,
            "smtp": draft.smtp.url if draft.smtp else "",
            "since": draft.since.isoformat() if draft.since else "",
            "begins": draft.begins,
            "leaves": self.leaves.url if self.leaves else "",
        }

    @classmethod
    def from_json(cls, kept: dict[str, Any], *, owner: Any) -> Wish:
        return cls(
            purpose=Purpose(kept["purpose"]),
            shared=kept["shared"],
            leaves=Endpoint.from_url(kept["leaves"], protocol="imap") if kept["leaves"] else None,
            draft=AccountDraft(
                owner=owner,
                address=kept["address"],
                username=kept["username"],
                imap=Endpoint.from_url(kept["imap"], protocol="imap"),
                smtp=Endpoint.from_url(kept["smtp"], protocol="smtp") if kept["smtp"] else None,
                since=date.fromisoformat(kept["since"]) if kept["since"] else None,
                begins=kept["begins"],
            ),
        )
