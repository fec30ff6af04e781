"""Two people consent for one account at the same time: it becomes that of one of them, and both are told the truth."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from mailaccounts.errors import WrongIdentity
from mailaccounts.models import Grant, MailAccount
from mailaccounts.services.connecting import granted
from mailaccounts.services.connecting.disconnect import disconnect
from mailaccounts.services.moving import proof
from mailaccounts.services.signing_in.login import open_imap
from tests.app.builders import make_user
from tests.sandbox_crm import come_back, connect_by_password, leave_for_consent
from tests.sandbox_fixtures import SandboxMailbox

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def office(world: object, new_mailbox: Callable[..., SandboxMailbox]) -> SandboxMailbox:
    """A mailbox that several people may open."""
    return new_mailbox()


@pytest.fixture
def account(office: SandboxMailbox) -> MailAccount:
    """The office's, connected with its password: nobody has consented yet."""
    return connect_by_password(office, make_user())


@pytest.fixture
def people(office: SandboxMailbox, new_mailbox: Callable[..., SandboxMailbox]) -> list[SandboxMailbox]:
    users = [replace(new_mailbox().user, shared=(office.address,)) for _ in range(2)]
    return [SandboxMailbox(sandbox=office.sandbox, user=office.sandbox.add_user(user)) for user in users]


def meanwhile(monkeypatch: pytest.MonkeyPatch, module: Any, name: str, act: Callable[[], object]) -> None:
    """Has ``act`` happen, once, right after the next call of a function, which then returns what it did."""
    real: Callable[..., Any] = getattr(module, name)

    def interrupted(*args: Any, **options: Any) -> Any:
        monkeypatch.setattr(module, name, real)
        found = real(*args, **options)
        act()
        return found

    monkeypatch.setattr(module, name, interrupted)


@pytest.mark.parametrize("signed_in_with", ["password", "nothing"])
def test_the_one_who_comes_second_is_told_and_changes_nothing(
    signed_in_with: str, account: MailAccount, people: list[SandboxMailbox], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether the old sign-in is proven beside the new one or there is none any more."""
    if signed_in_with == "nothing":
        disconnect(account, erase_mail=False, actor=account.owner)
        account.refresh_from_db()
    first, second = people
    ways = [leave_for_consent(account, account.owner, shared=True) for _ in people]
    module, name = (proof, "compare") if signed_in_with == "password" else (granted, "verify")
    meanwhile(monkeypatch, module, name, lambda: come_back(ways[0], first, account.owner))
    with pytest.raises(WrongIdentity) as caught:
        come_back(ways[1], second, account.owner)
    assert type(caught.value) is WrongIdentity
    assert first.address in caught.value.message
    assert Grant.objects.get().signed_in_as == first.address
    assert account.credentials.get(state="active").grant == Grant.objects.get()
    assert second.sandbox.idp.faults.revoke(second.address) == 0, "what was granted is given back"
    account = MailAccount.objects.get()
    with open_imap(account):
        pass
