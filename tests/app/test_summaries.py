"""What a list shows of a conversation follows what is stored of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from django.db import transaction

from mailaccounts.mail.headers import parse_headers
from mailaccounts.mail.parse import AttachmentInfo, Content
from mailaccounts.mail.types import Marks, Provided
from mailaccounts.models import Folder, MailAccount, Message, Thread
from mailaccounts.services.limits import lease
from mailaccounts.services.storing import places, removal
from mailaccounts.services.syncing.found import Found
from mailaccounts.services.syncing.store import Batch, store_batch
from tests.app.builders import make_account

if TYPE_CHECKING:
    from mailaccounts.services.limits.lease import Lease

pytestmark = pytest.mark.django_db(transaction=True)

EARLY, LATE = datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 2, 1, tzinfo=UTC)
PLAIN = Content(text="t", html="", attachments=())
WITH_FILE = replace(PLAIN, attachments=(AttachmentInfo(name="a", content_type="x/y", size=1),))


@pytest.fixture
def held() -> Lease:
    claimed = lease.claim(make_account())
    assert claimed is not None
    return claimed


def folder(held: Lease, name: str = "INBOX", role: str = "inbox") -> Folder:
    return Folder.objects.create(account_id=held.account_id, name=name, role=role, uidvalidity=1)


def letter(uid: int, *flags: str, when: datetime = EARLY, content: Content = PLAIN, labels: str = "") -> Found:
    raw = f"From: a@x.test\r\nMessage-ID: <{uid}@x.test>\r\nReferences: <1@x.test>\r\n"
    provided = Provided(labels=frozenset(labels.split()))
    headers = parse_headers(raw.encode())
    return Found(
        uid=uid, size=1, received_at=when, headers=headers, flags=frozenset(flags), content=content, provided=provided
    )


def store(held: Lease, where: Folder, *letters: Found) -> None:
    store_batch(held, Batch(folder_id=where.pk, uidvalidity=1, examined=len(letters), found=letters))


def thread() -> tuple[object, ...]:
    found = Thread.objects.get()
    return found.last_message_at, found.length, found.unread, found.flagged, found.has_attachments


def where() -> list[str]:
    found = Thread.objects.get().folders.order_by("folder__name")
    return list(found.values_list("folder__name", flat=True))


def test_it_grows_with_each_message(held: Lease) -> None:
    inbox, sent = folder(held), folder(held, "Sent", "sent")
    store(held, inbox, letter(1))
    assert (thread(), where()) == ((EARLY, 1, 1, False, False), ["INBOX"])
    store(held, sent, letter(2, "\\Seen", when=LATE, content=WITH_FILE))
    assert (thread(), where()) == ((LATE, 2, 1, False, True), ["INBOX", "Sent"])
    store(held, inbox, letter(3, "\\Flagged"))
    assert (thread(), where()) == ((LATE, 3, 2, True, True), ["INBOX", "Sent"])


def test_it_follows_flags_and_what_is_expunged(held: Lease) -> None:
    inbox, sent = folder(held), folder(held, "Sent", "sent")
    store(held, inbox, letter(1), letter(3))
    store(held, sent, letter(2, when=LATE))
    with transaction.atomic():
        places.write_marks(inbox, {1: Marks(flags=frozenset({"\\Seen", "\\Flagged"}))})
    assert thread() == (LATE, 3, 2, True, False)
    with transaction.atomic():
        places.drop(sent, [2])
    assert (thread(), where()) == ((EARLY, 2, 1, True, False), ["INBOX"])
    with transaction.atomic():
        places.drop(inbox, [1, 3])
    assert (thread(), where()) == ((None, 0, 0, False, False), [])


def test_a_message_read_in_one_folder_is_read(held: Lease) -> None:
    store(held, folder(held), letter(1))
    store(held, folder(held, "Copies", "other"), letter(1, "\\Seen"))
    assert thread() == (EARLY, 1, 0, False, False)


def test_labels_show_it_in_the_folders_they_stand_for(held: Lease) -> None:
    everything = folder(held, "[Gmail]/All Mail", "all")
    for name, role in (("INBOX", "inbox"), ("Projects", "other"), ("Other", "other")):
        folder(held, name, role)
    store(held, everything, letter(1, labels="\\Inbox Projects"))
    assert where() == ["INBOX", "Projects", "[Gmail]/All Mail"]


def test_it_shrinks_with_what_is_erased(held: Lease) -> None:
    store(held, folder(held), letter(1), letter(2, when=LATE, content=WITH_FILE))
    with transaction.atomic():
        removal.remove(Message.objects.filter(message_id="2@x.test"))
    assert thread() == (EARLY, 1, 1, False, False)


def test_every_change_shows_in_the_revision(held: Lease) -> None:
    def revision() -> int:
        return MailAccount.objects.get(pk=held.account_id).revision

    inbox = folder(held)
    seen = [revision()]
    store(held, inbox, letter(1))
    seen.append(revision())
    with transaction.atomic():
        places.write_marks(inbox, {1: Marks(flags=frozenset({"\\Seen"}))})
    seen.append(revision())
    with transaction.atomic():
        places.drop(inbox, [1])
    seen.append(revision())
    assert seen == sorted(set(seen))
    with transaction.atomic():
        places.write_marks(inbox, {1: Marks(flags=frozenset())})
    store(held, inbox)
    assert revision() == seen[-1]
