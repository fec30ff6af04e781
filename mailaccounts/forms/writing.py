"""The form in which messages are written, and those for an account's part in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.utils.translation import gettext_lazy as _

from mailaccounts.mail import typed
from mailaccounts.models import MailAccount, Role
from mailaccounts.services.sending import drafts
from mailaccounts.services.sending.drafts import Written

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mailaccounts.models import Outgoing

MAX_TYPED = 20_000  # characters of recipients


class RecipientsField(forms.CharField):
    """Addresses with commas between them; whether they are any good is told when the message is to be sent."""

    def __init__(self, label: Any) -> None:
        super().__init__(label=label, required=False, max_length=MAX_TYPED, strip=False)
        self.widget.attrs |= {"autocomplete": "off", "spellcheck": "false", "autocapitalize": "none"}


class WritingForm(forms.Form):
    """A message. ``senders`` are the accounts that it may be from."""

    sender = forms.ChoiceField(label=_("From"))
    to = RecipientsField(_("To"))
    cc = RecipientsField(_("Cc"))
    bcc = RecipientsField(_("Bcc"))
    subject = forms.CharField(label=_("Subject"), required=False, max_length=2000)
    text = forms.CharField(
        label=_("Message"), required=False, strip=False, widget=forms.Textarea(attrs={"rows": 16, "dir": "auto"})
    )

    def __init__(self, data: Any, *, senders: Iterable[MailAccount], initial: dict[str, Any]) -> None:
        super().__init__(data, initial=initial)
        self.accounts = {account.pk: account for account in senders}
        self.senders = {
            _choice(account, address): (account, address)
            for account in self.accounts.values()
            for address in ("", *(alias.address for alias in account.aliases.all()))
        }
        labels = [(key, _label(account, address)) for key, (account, address) in self.senders.items()]
        self.fields["sender"].choices = labels  # type: ignore[attr-defined]  # a ChoiceField, as declared above

    def written(self) -> tuple[MailAccount, Written]:
        """What was typed, and the account it is from."""
        data = self.cleaned_data
        account, sender = self.senders[data["sender"]]
        written = Written(
            to=typed.read(data["to"]),
            cc=typed.read(data["cc"]),
            bcc=typed.read(data["bcc"]),
            sender=sender,
            sender_name=account.sender_name,
            subject=data["subject"],
            text=data["text"].replace("\r\n", "\n"),
        )
        return account, written


def typed_in(draft: Outgoing) -> dict[str, str]:
    """What the form shows of a draft."""
    people = {role.value: typed.write(drafts.recipients(draft, role)) for role in (Role.TO, Role.CC, Role.BCC)}
    sender = _choice(draft.account, draft.sender)
    return {**people, "sender": sender, "subject": draft.subject, "text": draft.body_text}


def begun_with(account: MailAccount, written: Written) -> dict[str, str]:
    """What the form shows of a message that isn't kept yet."""
    sender = _choice(account, written.sender)
    return {"sender": sender, "to": typed.write(written.to), "subject": written.subject, "text": written.text}


class WriterForm(forms.Form):
    """What messages from an account carry."""

    sender_name = forms.CharField(
        label=_("Your name"),
        required=False,
        max_length=255,
        help_text=_("Whom you write to sees it beside the address."),
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )
    signature = forms.CharField(
        label=_("Signature"),
        required=False,
        max_length=2000,
        help_text=_("Ends each new message and each answer."),
        widget=forms.Textarea(attrs={"rows": 5}),
    )


class AliasForm(forms.Form):
    address = forms.EmailField(label=_("Another address of yours"), max_length=254)


def _choice(account: MailAccount, address: str) -> str:
    return f"{account.pk} {address}".strip()


def _label(account: MailAccount, address: str) -> str:
    shown = address or account.address
    named = f"{account.sender_name} <{shown}>" if account.sender_name else shown
    through = f" (through {account.address})" if address else ""
    return f"{named}{through}{'' if account.smtp_host else ', which only reads so far'}"
