"""Writing a batch: all of it or nothing, twice the same as once."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from mailaccounts.errors import LeaseLost
from mailaccounts.mail.headers import parse_headers
from mailaccounts.mail.parse import AttachmentInfo, Content
from mailaccounts.models import (
    Attachment,
    Folder,
    MailAccount,
    Message,
    MessageUid,
    Participant,
    Thread,
    ThreadKey,
)
from mailaccounts.services.limits import lease
from mailaccounts.services.syncing.examine import UNSTORABLE
from mailaccounts.services.syncing.found import Found
from mailaccounts.services.syncing.store import Batch, store_batch
from mailaccounts.services.telling.announce import announce
from mailaccounts.signals import message_stored
from tests.app.builders import make_account, make_message

if TYPE_CHECKING:
    from collections.abc import Sequence

pytestmark = pytest.mark.django_db(transaction=True)

WHEN = datetime(2024, 1, 1, 12, tzinfo=UTC)
CONTENT = Content(text="t", html="", attachments=(AttachmentInfo(name="a", content_type="x/y", size=1),))
STORED = (Message, MessageUid, Participant, Attachment, Thread, ThreadKey)


@pytest.fixture
def folder() -> Folder:
    return Folder.objects.create(account=make_account(), name="INBOX", role="inbox", uidvalidity=1)


@pytest.fixture
def held(folder: Folder) -> lease.Lease:
    claimed = lease.claim(folder.account)
    assert claimed is not None
    return claimed


def found(uid: int, message_id: str = "", *, answers: str = "", content: Content | None = CONTENT) -> Found:
    raw = (
        f"From: Maria <maria@customer.test>\r\nTo: me@us.test, you@us.test\r\nSubject: Letter number {uid}\r\n"
        f"Message-ID: <{message_id or f'm{uid}@x.test'}>\r\n" + (f"In-Reply-To: <{answers}>\r\n" if answers else "")
    )
    return Found(uid=uid, size=10, received_at=WHEN, headers=parse_headers(raw.encode()), content=content)


def store(held: lease.Lease, folder: Folder, messages: Sequence[Found], **changes: Any) -> int:
    values = {"uidvalidity": 1, "last_uid": 99, "examined": len(messages), **changes}
    return store_batch(held, Batch(folder_id=folder.pk, found=messages, **values))


def counts() -> list[int]:
    return [model.objects.count() for model in STORED]


def test_rows_and_cursor_come_together(held: lease.Lease, folder: Folder) -> None:
    assert store(held, folder, [found(1), found(2)]) == 2
    assert counts() == [2, 2, 6, 2, 2, 2]
    folder.refresh_from_db()
    assert (folder.last_uid, folder.examined) == (99, 2)


def test_the_same_batch_again_changes_nothing(held: lease.Lease, folder: Folder) -> None:
    messages = [found(1), found(2, answers="m1@x.test"), found(3, "m1@x.test")]
    store(held, folder, messages)
    before, rows = counts(), list(Message.objects.order_by("pk").values())
    assert store(held, folder, messages) == 0
    assert counts() == before
    assert list(Message.objects.order_by("pk").values()) == rows


def test_a_body_that_comes_later_completes_the_message(held: lease.Lease, folder: Folder) -> None:
    store(held, folder, [found(1, content=None)])
    assert not Message.objects.get().has_body
    store(held, folder, [found(1)])
    store(held, folder, [found(1, content=None)])
    message = Message.objects.get()
    assert message.has_body and message.body_text == "t"
    assert message.attachments.count() == 1


def test_a_uid_that_means_another_message_now_leads_to_that_one(held: lease.Lease, folder: Folder) -> None:
    store(held, folder, [found(1, "old@x.test")])
    store(held, folder, [found(1, "new@x.test")])
    assert MessageUid.objects.get().message.message_id == "new@x.test"


def test_the_flags_of_a_message_are_those_of_the_place_where_it_lies(held: lease.Lease, folder: Folder) -> None:
    store(held, folder, [replace(found(1), flags=frozenset({"\\Seen", "\\Answered", "\\Recent", "work"}))])
    place = MessageUid.objects.get()
    assert (place.flags, place.seen) == ("\\Answered \\Seen work", True)
    store(held, folder, [replace(found(1), flags=frozenset({"work"}))])
    place.refresh_from_db()
    assert (place.flags, place.seen) == ("work", False)


def test_a_message_that_was_gone_is_back_when_it_turns_up_elsewhere(held: lease.Lease, folder: Folder) -> None:
    store(held, folder, [found(1)])
    Message.objects.update(gone_since=WHEN)
    store(held, folder, [found(2)])
    assert Message.objects.get(message_id="m1@x.test").gone_since == WHEN
    store(held, folder, [replace(found(1, content=None), uid=7)])
    assert Message.objects.get(message_id="m1@x.test").gone_since is None


def test_history_moves_its_own_cursor_and_leaves_that_of_new_mail_alone(held: lease.Lease, folder: Folder) -> None:
    store(held, folder, [])
    store(held, folder, [found(40), found(39)], last_uid=None, history_below=39)
    folder.refresh_from_db()
    assert (folder.last_uid, folder.history_below, folder.history_done, folder.examined) == (99, 39, 2, 2)


def test_a_conversation_grows_and_knows_when_it_last_did(held: lease.Lease, folder: Folder) -> None:
    store(held, folder, [found(2, "b@x.test", answers="a@x.test")])
    store(held, folder, [found(1, "a@x.test")])
    thread = Thread.objects.get()
    assert thread.messages.count() == 2
    assert thread.last_message_at == WHEN
    assert thread.subject == "Letter number 2"


def test_without_the_lease_nothing_is_written(held: lease.Lease, folder: Folder) -> None:
    MailAccount.objects.update(lease_owner="somebody else")
    with pytest.raises(LeaseLost):
        store(held, folder, [found(1)])
    assert counts() == [0] * len(STORED)
    folder.refresh_from_db()
    assert folder.last_uid == 0


def test_a_cursor_of_another_uidvalidity_is_not_moved(held: lease.Lease, folder: Folder) -> None:
    store(held, folder, [], uidvalidity=2)
    folder.refresh_from_db()
    assert folder.last_uid == 0


def test_a_row_made_by_hand_afterwards_gets_a_key_of_its_own(held: lease.Lease, folder: Folder) -> None:
    store(held, folder, [found(1), found(2)])
    thread = Thread.objects.create(account=folder.account)
    make_message(folder.account, thread=thread)
    store(held, folder, [found(3)])
    assert counts()[0] == 4


def test_what_is_not_said_of_a_message_is_as_the_model_has_it(held: lease.Lease, folder: Folder) -> None:
    before = timezone.now()
    store(held, folder, [found(1)])
    message = Message.objects.get()
    assert before <= message.stored_at <= timezone.now()
    assert (message.announced, message.gone_since, message.received_at) == (False, None, WHEN)


@pytest.mark.parametrize(
    "unstorable",
    [
        replace(found(2), size=2**63),
        replace(found(2), content=replace(CONTENT, text="lone surrogate \ud800")),
        replace(found(2), content=replace(CONTENT, attachments=(AttachmentInfo(name="", content_type="", size=-1),))),
        replace(found(2), uid=2**63),
    ],
    ids=["size", "text", "attachment", "uid"],
)
def test_what_no_column_holds_is_refused_and_takes_the_whole_batch_with_it(
    held: lease.Lease, folder: Folder, unstorable: Found
) -> None:
    with pytest.raises(UNSTORABLE):
        store(held, folder, [found(1), unstorable])
    assert counts() == [0] * len(STORED)
    folder.refresh_from_db()
    assert folder.last_uid == 0
    assert store(held, folder, [found(1)]) == 1


def test_the_number_of_queries_does_not_depend_on_the_number_of_messages(held: lease.Lease, folder: Folder) -> None:
    numbers = []
    for first, size in ((1, 3), (1000, 40)):
        batch = [found(uid, answers=f"m{uid - 1}@x.test" if uid % 3 else "") for uid in range(first, first + size)]
        with CaptureQueriesContext(connection) as queries:
            assert store(held, folder, batch) == size
        numbers.append(len(queries))
    assert numbers[0] == numbers[1]
    assert numbers[0] <= 20


def test_joining_many_conversations_takes_no_more_queries_than_joining_two(held: lease.Lease, folder: Folder) -> None:
    numbers = []
    for first, size in ((1, 2), (1000, 40)):
        uids = range(first, first + size)
        store(held, folder, [found(uid) for uid in uids])
        references = " ".join(f"<m{uid}@x.test>" for uid in uids)
        headers = parse_headers(f"Message-ID: <j{first}@x.test>\r\nReferences: {references}".encode())
        joining = Found(uid=first + 500, size=1, received_at=WHEN, headers=headers, content=CONTENT)
        with CaptureQueriesContext(connection) as queries:
            store(held, folder, [joining])
        numbers.append(len(queries))
    assert numbers[0] == numbers[1]
    assert Thread.objects.count() == 2


def test_every_message_is_announced_once_and_one_whose_receiver_failed_again(
    held: lease.Lease, folder: Folder, caplog: pytest.LogCaptureFixture
) -> None:
    store(held, folder, [found(uid) for uid in range(1, 6)])
    heard: list[list[int]] = []
    fail = True

    def receiver(*, message_ids: list[int], **_: object) -> None:
        heard.append(message_ids)
        if fail and first in message_ids:
            raise ValueError

    first, *rest = Message.objects.order_by("pk").values_list("pk", flat=True)
    message_stored.connect(receiver)
    try:
        assert announce(folder.account_id) == 4
        assert heard == [[first, *rest], [first], *([each] for each in rest)]
        heard.clear()
        fail = False
        assert announce(folder.account_id) == 1
        assert announce(folder.account_id) == 0
    finally:
        message_stored.disconnect(receiver)
    assert heard == [[first]]
    assert f"failed on message {first}: ValueError" in caplog.text
