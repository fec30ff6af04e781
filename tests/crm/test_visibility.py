"""What colleagues may know of a mailbox's messages, and what they may read."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser

from mailaccounts.models import ERASING, AccountStatus, Message, Shown, Visibility
from mailaccounts.selectors import Access, access_to, messages_for, own_messages, readable_by, threads_for
from tests.app.builders import make_account, make_user
from tests.crm.builders import store_message

pytestmark = pytest.mark.django_db

NOTHING, SUBJECT, READ = None, Access.SUBJECT, Access.READ


@pytest.mark.parametrize(
    ("visibility", "shown", "seen"),
    [
        (Visibility.OWNER, Shown.AS_ACCOUNT, NOTHING),
        (Visibility.OWNER, Shown.HIDDEN, NOTHING),
        (Visibility.OWNER, Shown.REVEALED, READ),
        (Visibility.SUBJECT, Shown.AS_ACCOUNT, SUBJECT),
        (Visibility.SUBJECT, Shown.HIDDEN, NOTHING),
        (Visibility.SUBJECT, Shown.REVEALED, READ),
        (Visibility.EVERYTHING, Shown.AS_ACCOUNT, READ),
        (Visibility.EVERYTHING, Shown.HIDDEN, NOTHING),
        (Visibility.EVERYTHING, Shown.REVEALED, READ),
    ],
)
def test_a_colleague_sees_what_the_owner_lets_them(visibility: str, shown: str, seen: Access | None) -> None:
    message, colleague = _message(visibility=visibility, shown=shown), make_user()
    assert access_to([message], colleague).get(message.pk) == seen
    assert messages_for(colleague).exists() == (seen is not NOTHING)
    assert readable_by(colleague).exists() == (seen is READ)


@pytest.mark.parametrize("visibility", Visibility.values)
@pytest.mark.parametrize("shown", Shown.values)
def test_the_owner_sees_everything(visibility: str, shown: str) -> None:
    message = _message(visibility=visibility, shown=shown)
    owner = message.account.owner
    assert access_to([message], owner) == {message.pk: Access.OWN}
    assert readable_by(owner).get() == messages_for(owner).get() == own_messages(owner).get() == message


def test_what_others_share_is_not_in_ones_own_mail() -> None:
    _message(visibility=Visibility.EVERYTHING)
    colleague = make_user()
    assert not own_messages(colleague).exists()
    assert not threads_for(colleague).exists()


def test_nobody_sees_mail_on_its_way_out() -> None:
    message = _message(visibility=Visibility.EVERYTHING, shown=Shown.REVEALED)
    message.account.status, message.account.status_code = AccountStatus.DISCONNECTED, ERASING
    message.account.save()
    for user in (message.account.owner, make_user()):
        assert not access_to([message], user)
        assert not readable_by(user).exists()


def test_strangers_see_nothing() -> None:
    message = _message(visibility=Visibility.EVERYTHING, shown=Shown.REVEALED)
    stranger = AnonymousUser()
    assert not messages_for(stranger).exists()
    assert not readable_by(stranger).exists()
    assert not access_to([message], stranger)


def test_a_host_that_says_nothing_shares_nothing(settings: Any) -> None:
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "HOOKS": "mailaccounts.hooks.Hooks"}
    message = _message(visibility=Visibility.EVERYTHING, shown=Shown.REVEALED)
    assert not access_to([message], make_user())


def test_access_to_many_messages_is_one_query(django_assert_num_queries: Any) -> None:
    messages, colleague = [_message(visibility=Visibility.EVERYTHING) for _ in range(5)], make_user()
    with django_assert_num_queries(1):
        assert set(access_to(messages, colleague).values()) == {Access.READ}


def _message(*, visibility: str, shown: str = Shown.AS_ACCOUNT) -> Message:
    account = make_account()
    account.visibility = visibility
    account.save()
    return store_message(account, sender="maria@c.test", to=account.address, shown=shown)
