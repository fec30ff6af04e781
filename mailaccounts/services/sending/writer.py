"""Who an account's messages are from: a name, a signature, and aliases, each proven by a link that is mailed to it.

The link is no key: whoever opens it has to be signed in as somebody who may manage the account. So it shows that one
person has both, the account here and the mail of that address.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core import signing
from django.db import transaction
from django.utils import timezone

from mailaccounts.errors import AliasLinkExpired
from mailaccounts.hooks import hooks
from mailaccounts.mail.compose import Mailbox, safe, wire_address
from mailaccounts.models import Alias, MailAccount
from mailaccounts.services.sending import drafts, outbox
from mailaccounts.services.sending.drafts import Written

if TYPE_CHECKING:
    from collections.abc import Callable

SALT = "mailaccounts.alias"
LINK_SECONDS = 3 * 86_400
WORDS = """{account} would like to send mail from {address}.

If that is you, open this link, signed in to the CRM:

{link}

It is good for three days. If it isn't you, there is nothing to do: without the link nobody sends from your address.
"""


def present(account: MailAccount, *, sender_name: str, signature: str) -> None:
    """Messages from the account carry this name and end with this signature from now on. UnsafeArgument."""
    columns = {"sender_name": safe(sender_name, what="Your name"), "signature": signature.replace("\r\n", "\n")}
    MailAccount.objects.filter(pk=account.pk).update(**columns)


def add_alias(account: MailAccount, address: str, *, link: Callable[[str], str]) -> Alias:
    """Has the account mail ``link(token)`` to the address, for the first time or once more. MailAccountsError when the
    address is none, or the account can't send."""
    wire_address(address)
    with transaction.atomic():
        written = address.strip()
        alias, _ = Alias.objects.get_or_create(account=account, address__iexact=written, defaults={"address": written})
        if alias.proven_at is None:
            _mail(alias, link(signing.dumps([alias.pk, alias.address], salt=SALT)))
    return alias


def meant_by(token: str, *, user: Any) -> Alias | None:
    """The alias whose link this is; None when it is nobody's that ``user`` manages. AliasLinkExpired."""
    try:
        pk, address = signing.loads(token, salt=SALT, max_age=LINK_SECONDS)
    except signing.SignatureExpired:
        raise AliasLinkExpired from None
    except signing.BadSignature:
        return None
    alias = Alias.objects.select_related("account").filter(pk=pk, address=address).first()
    return alias if alias and hooks().can_manage(user, alias.account) else None


def prove(alias: Alias) -> None:
    """From now on the account may send from there."""
    Alias.objects.filter(pk=alias.pk, proven_at=None).update(proven_at=timezone.now())


def remove_alias(account: MailAccount, alias_id: int) -> None:
    """Nothing more is sent from this address."""
    account.aliases.filter(pk=alias_id).delete()


def _mail(alias: Alias, link: str) -> None:
    account = alias.account
    text = WORDS.format(account=account.address, address=alias.address, link=link)
    subject = f"May {account.address} send from this address?"
    written = Written(to=(Mailbox(address=alias.address),), subject=subject, text=text)
    outbox.queue(drafts.begin(account, written, author=None))
