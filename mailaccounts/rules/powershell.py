"""What an Exchange administrator has to enter so that an application may open a mailbox, filled in.

Exchange Online documents, "Authenticate an IMAP, POP or SMTP connection using OAuth": the directory's consent lets
the application in at the door, and these lines open the mailboxes to it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

OBJECT_ID = "object id of the enterprise application"
QUOTES = re.compile("['\u2018\u2019\u201a\u201b]")  # PowerShell takes them all for one


def service_principal(client_id: str) -> list[str]:
    """Makes the application known to Exchange; once for each organisation. OBJECT_ID has to be replaced: it is the
    enterprise application's, and with the app registration's every sign-in is refused."""
    return [
        "Connect-ExchangeOnline",
        f"New-ServicePrincipal -AppId {quoted(client_id)} -ObjectId {quoted(OBJECT_ID)} -DisplayName 'CRM mail'",
    ]


def mailbox_permissions(client_id: str, *, reading: Iterable[str], sending: Iterable[str]) -> list[str]:
    """Opens the mailboxes of ``reading`` to it, and lets it send as those of ``sending``."""
    lines = [
        *(f"Add-MailboxPermission -Identity {quoted(box)} -User $crm -AccessRights FullAccess" for box in reading),
        *(
            f"Add-RecipientPermission -Identity {quoted(box)} -Trustee $crm -AccessRights SendAs -Confirm:$false"
            for box in sending
        ),
    ]
    found = f"$crm = (Get-ServicePrincipal | Where-Object AppId -eq {quoted(client_id)}).Identity"
    return [found, *lines] if lines else []


def quoted(text: str) -> str:
    """``text`` as one word of PowerShell, in which nothing has a meaning."""
    return f"'{QUOTES.sub(lambda quote: quote[0] * 2, text)}'"
