"""Who looked at somebody else's mail is noted, once, and stays."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from mailaccounts.models import Look, Message
from mailaccounts.services.trail import looks
from tests.app.builders import make_account, make_message, make_user

pytestmark = pytest.mark.django_db

WHY = "Read the conversation"


def test_a_colleague_who_is_shown_a_message_is_noted() -> None:
    message, colleague = make_message(make_account()), make_user()
    looks.note(message, viewer=colleague, why=WHY)
    look = Look.objects.get()
    assert (look.account, look.message, look.viewer, look.why) == (message.account, message, colleague, WHY)


def test_an_owner_is_not_noted() -> None:
    message = make_message(make_account())
    looks.note(message, viewer=message.account.owner, why=WHY)
    assert not Look.objects.exists()


def test_leafing_back_and_forth_is_one_look_and_coming_back_later_another(monkeypatch: pytest.MonkeyPatch) -> None:
    message, colleague = make_message(make_account()), make_user()
    looks.note(message, viewer=colleague, why=WHY)
    looks.note(message, viewer=colleague, why=WHY)
    assert Look.objects.count() == 1
    looks.note(message, viewer=colleague, why="Opened an attachment")
    monkeypatch.setattr(looks, "ONCE_IN", timedelta(0))  # that much later
    looks.note(message, viewer=colleague, why=WHY)
    assert Look.objects.count() == 3


def test_a_page_full_of_messages_takes_two_queries(django_assert_num_queries: Any) -> None:
    account, colleague = make_account(), make_user()
    messages = [make_message(account) for _ in range(5)]
    with django_assert_num_queries(2):
        looks.note_all(messages, viewer=colleague, why=WHY)
    with django_assert_num_queries(0):
        looks.note_all(messages, viewer=account.owner, why=WHY)
    assert Look.objects.count() == 5


def test_a_look_outlives_the_message_and_is_never_rewritten() -> None:
    message, colleague = make_message(make_account()), make_user()
    looks.note(message, viewer=colleague, why=WHY)
    Message.objects.all().delete()
    look = Look.objects.get()
    assert look.message is None
    look.why = "For no reason"
    with pytest.raises(TypeError):
        look.save()


@pytest.mark.django_db(transaction=True)
def test_of_what_is_erased_while_it_is_shown_the_look_is_noted_all_the_same() -> None:
    account, colleague = make_account(), make_user()
    erased, kept = make_message(account), make_message(account)
    Message.objects.filter(pk=erased.pk).delete()
    looks.note_all([erased, kept], viewer=colleague, why=WHY)
    assert set(Look.objects.values_list("viewer", "message")) == {(colleague.pk, None), (colleague.pk, kept.pk)}
