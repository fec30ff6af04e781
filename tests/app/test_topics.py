"""Answers that don't say what they answer find their conversation by subject, whichever comes first."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import TYPE_CHECKING

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from mailaccounts.mail.headers import parse_headers
from mailaccounts.models import Folder, MailAccount, Message, Thread
from mailaccounts.services.limits import lease
from mailaccounts.services.syncing.found import Found
from mailaccounts.services.syncing.store import Batch, store_batch
from tests.app.builders import make_account

if TYPE_CHECKING:
    from collections.abc import Sequence

pytestmark = pytest.mark.django_db(transaction=True)

WHEN = datetime(2024, 1, 1, 12, tzinfo=UTC)
MARIA, ME = "maria@customer.test", "me@us.test"


def found(uid: int, subject: str, *, sender: str = MARIA, to: str = ME, day: int = 0, answers: str = "") -> Found:
    raw = f"From: {sender}\r\nTo: {to}\r\nSubject: {subject}\r\nMessage-ID: <m{uid}@x.test>\r\n"
    headers = parse_headers((raw + (f"References: <{answers}>\r\n" if answers else "")).encode())
    return Found(uid=uid, size=1, received_at=WHEN + timedelta(days=day), headers=headers)


ASKED = found(1, "Offer for 200 chairs")
ANSWERED = found(2, "Re: Offer for 200 chairs", sender=ME, to=MARIA, day=1, answers="m1@x.test")
BY_PHONE = found(3, "AW: Offer for 200 chairs", day=2)  # names nothing that it answers


def store(messages: Sequence[Found], *, account: MailAccount | None = None) -> None:
    folder, _ = Folder.objects.get_or_create(
        account=account or MailAccount.objects.first() or make_account(), name="INBOX", uidvalidity=1
    )
    held = lease.claim(folder.account)
    assert held
    store_batch(held, Batch(folder_id=folder.pk, uidvalidity=1, found=messages, examined=len(messages)))
    lease.release(held)


def conversations() -> list[list[int]]:
    """The UIDs of each conversation's messages."""
    ids = {thread.pk: sorted(thread.messages.values_list("uids__uid", flat=True)) for thread in Thread.objects.all()}
    return sorted(ids.values())


@pytest.mark.parametrize("order", list(permutations([ASKED, ANSWERED, BY_PHONE])))
def test_a_conversation_is_one_whatever_of_it_is_stored_first(order: Sequence[Found]) -> None:
    for each in order:
        store([each])
    assert conversations() == [[1, 2, 3]]


def test_what_comes_in_one_batch_is_one_conversation_too() -> None:
    store([BY_PHONE, ANSWERED, ASKED])
    assert conversations() == [[1, 2, 3]]


def test_the_same_subject_with_somebody_else_is_another_conversation() -> None:
    store([ASKED])
    store([found(2, "Re: Offer for 200 chairs", sender="paul@other.test", day=1)])
    store([found(3, "Re: Offer for 200 chairs", sender=ME, to="paul@other.test", day=2)])
    assert conversations() == [[1], [2, 3]]


def test_the_same_subject_a_season_later_is_another_conversation() -> None:
    store([ASKED])
    store([found(2, "Re: Offer for 200 chairs", day=90)])
    assert conversations() == [[1], [2]]


def test_hello_is_no_conversation() -> None:
    store([found(1, "Hello"), found(2, "Re: Hello", day=1)])
    assert conversations() == [[1], [2]]


def test_a_subject_leads_into_no_other_account() -> None:
    store([ASKED], account=make_account(address="me@us.test"))
    store([BY_PHONE], account=make_account(MailAccount.objects.get().owner, "me@other.test"))
    assert conversations() == [[1], [3]]
    assert Message.objects.filter(topic="re: offer for 200 chairs").count() == 1


def test_many_answers_by_subject_take_no_more_queries_than_two() -> None:
    numbers = []
    for first, size in ((1, 2), (1000, 40)):
        uids = range(first, first + size)
        store([found(uid, f"Letter number {uid:04}") for uid in uids])
        with CaptureQueriesContext(connection) as queries:
            store([found(uid + 500, f"Re: Letter number {uid:04}", day=1) for uid in uids])
        numbers.append(len(queries))
    assert numbers[0] == numbers[1]
    assert Thread.objects.count() == 42
