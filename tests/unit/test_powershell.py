"""The lines for an Exchange administrator: complete, and no address becomes anything but an address."""

from __future__ import annotations

import pytest

from mailaccounts.rules.powershell import OBJECT_ID, mailbox_permissions, quoted, service_principal

CLIENT = "c11e4700-0000-4000-8000-c11e47000001"


def test_the_application_is_made_known_with_its_id_and_one_thing_to_fill_in() -> None:
    connect, principal = service_principal(CLIENT)
    assert connect == "Connect-ExchangeOnline"
    assert principal.startswith(f"New-ServicePrincipal -AppId '{CLIENT}' -ObjectId '{OBJECT_ID}'")


def test_each_mailbox_gets_what_it_lacks() -> None:
    lines = mailbox_permissions(CLIENT, reading=["anna@contoso.test"], sending=["ben@contoso.test"])
    assert lines == [
        f"$crm = (Get-ServicePrincipal | Where-Object AppId -eq '{CLIENT}').Identity",
        "Add-MailboxPermission -Identity 'anna@contoso.test' -User $crm -AccessRights FullAccess",
        "Add-RecipientPermission -Identity 'ben@contoso.test' -Trustee $crm -AccessRights SendAs -Confirm:$false",
    ]


def test_nothing_missing_is_nothing_to_enter() -> None:
    assert mailbox_permissions(CLIENT, reading=[], sending=[]) == []


@pytest.mark.parametrize("quote", ["'", "\u2018", "\u2019", "\u201a", "\u201b"])
def test_an_address_can_not_end_its_quotes(quote: str) -> None:
    address = f"o{quote}brien$(Remove-Item x)`@contoso.test"
    assert quoted(address) == f"'o{quote}{quote}brien$(Remove-Item x)`@contoso.test'"
