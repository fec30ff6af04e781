"""`manage.py export_mail`: everything stored about one person."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from mailaccounts.models import Attachment, Folder, Message, MessageUid, Participant, Thread
from tests.app.builders import make_account, make_outgoing

pytestmark = pytest.mark.django_db

KEYS = ["message_id", "subject", "from", "to", "date", "accounts", "folders", "has_body", "attachments"]
WHEN = datetime(2024, 1, 1, 12, tzinfo=UTC)


def export(contact: str) -> list[dict[str, Any]]:
    out = io.StringIO()
    call_command("export_mail", "--contact", contact, "--json", stdout=out)
    return [json.loads(line) for line in out.getvalue().splitlines()]


def store(message_id: str, sender: str, *to: str, folder: Folder | None = None, **columns: Any) -> Message:
    folder = folder or Folder.objects.create(account=make_account(), name="INBOX")
    thread = columns.pop("thread", None) or Thread.objects.create(account=folder.account)
    message = Message.objects.create(
        account=folder.account,
        thread=thread,
        fingerprint=message_id,
        message_id=message_id,
        subject=columns.pop("subject", "Hello"),
        received_at=WHEN,
        **columns,
    )
    Participant.objects.create(message=message, role="from", position=0, address=sender)
    for position, address in enumerate(to):
        Participant.objects.create(message=message, role="to", position=position, address=address)
    MessageUid.objects.create(folder=folder, message=message, uidvalidity=1, uid=message.pk)
    return message


def test_a_message_comes_with_all_that_is_known_of_it() -> None:
    message = store("a@x", "maria@customer.test", "me@us.test", "you@us.test", has_body=True, sent_at=WHEN)
    Attachment.objects.create(message=message, position=0, name="offer.pdf", content_type="application/pdf", size=7)
    store("b@x", "else@x.test", "me@us.test")
    (exported,) = export("Maria@Customer.TEST")
    assert list(exported) == KEYS
    assert exported == {
        "message_id": "a@x",
        "subject": "Hello",
        "from": "maria@customer.test",
        "to": ["me@us.test", "you@us.test"],
        "date": "2024-01-01T12:00:00+00:00",
        "accounts": [message.account.address],
        "folders": ["INBOX"],
        "has_body": True,
        "attachments": [{"name": "offer.pdf", "content_type": "application/pdf", "size": 7}],
    }


def test_the_same_mail_in_two_accounts_is_exported_once() -> None:
    one = store("a@x", "maria@customer.test", "me@us.test")
    two = store("a@x", "maria@customer.test", "me@us.test", has_body=True)
    (exported,) = export("maria@customer.test")
    assert exported["accounts"] == sorted([one.account.address, two.account.address])
    assert exported["has_body"]


def test_the_rest_of_a_persons_conversations_is_exported_too() -> None:
    first = store("a@x", "maria@customer.test", "me@us.test")
    folder = Folder.objects.get()
    store("b@x", "colleague@us.test", "me@us.test", folder=folder, thread=first.thread)
    assert [each["message_id"] for each in export("maria@customer.test")] == ["a@x", "b@x"]


def test_an_address_is_found_however_it_is_written() -> None:
    store("a@x", "maria+news@xn--bcher-kva.test", "me@us.test")
    store("b@x", "me@us.test", "maria@bücher.test")
    store("c@x", "mariana@bücher.test", "me@us.test")
    assert sorted(each["message_id"] for each in export("Maria@Bücher.test")) == ["a@x", "b@x"]


def test_a_person_nothing_is_stored_about_gives_nothing() -> None:
    assert export("nobody@customer.test") == []


def test_what_is_no_address_is_a_usage_error() -> None:
    with pytest.raises(CommandError) as caught:
        call_command("export_mail", "--contact", "maria")
    assert caught.value.returncode == 2


def test_people_read_a_table_that_mail_cannot_disturb() -> None:
    store("a@x", "maria@customer.test", "me@us.test", subject="\x1b[31mred\x07")
    out = io.StringIO()
    call_command("export_mail", "--contact", "maria@customer.test", stdout=out)
    heads, row = out.getvalue().splitlines()
    assert heads.split()[:4] == ["DATE", "FROM", "TO", "SUBJECT"]
    assert "maria@customer.test" in row
    assert "\x1b" not in row and "\x07" not in row


def test_the_number_of_queries_does_not_depend_on_the_mail(django_assert_num_queries: Any) -> None:
    for number in range(20):
        store(f"{number}@x", "maria@customer.test", "me@us.test")
    with django_assert_num_queries(6):
        assert len(export("maria@customer.test")) == 20


def test_what_messages_say_is_not_read() -> None:
    """Years of mail with somebody would have to fit into memory."""
    store("a@x", "maria@customer.test", has_body=True, body_text="We take two hundred.")
    with CaptureQueriesContext(connection) as queries:
        assert export("maria@customer.test")[0]["has_body"]
    assert not [each["sql"] for each in queries if "body_" in each["sql"].replace("has_body", "")]


def test_what_is_written_to_a_person_is_stored_about_them_too() -> None:
    draft = make_outgoing(subject="Offer", body_text="We take two hundred.")
    draft.recipients.create(role="to", position=0, address="Maria@customer.test")
    draft.recipients.create(role="bcc", position=0, address="boss@us.test")
    draft.enclosed.create(position=0, name="offer.pdf", content_type="application/pdf", content=b"\x00" * 7)
    make_outgoing().recipients.create(role="to", position=0, address="else@x.test")
    with CaptureQueriesContext(connection) as queries:
        (exported,) = export("maria@customer.test")
    assert not [each["sql"] for each in queries if "body_" in each["sql"]]
    assert exported == {
        "message_id": draft.message_id,
        "subject": "Offer",
        "from": draft.account.address,
        "to": ["Maria@customer.test"],  # and not who else has it unseen
        "date": draft.created_at.isoformat(),
        "accounts": [draft.account.address],
        "folders": [],
        "has_body": True,
        "attachments": [{"name": "offer.pdf", "content_type": "application/pdf", "size": 7}],
    }


def test_what_was_sent_and_came_back_from_the_mailbox_is_exported_once() -> None:
    message = store("a@x", "me@us.test", "maria@customer.test")
    sent = make_outgoing(message.account, message_id="a@x", state="sent", filing="done", sent_at=WHEN)
    sent.recipients.create(role="to", position=0, address="maria@customer.test")
    assert [each["folders"] for each in export("maria@customer.test")] == [["INBOX"]]


def test_the_labels_of_gmail_are_folders_too() -> None:
    message = store(
        "a@x", "maria@customer.test", folder=Folder.objects.create(account=make_account(), name="All Mail")
    )
    MessageUid.objects.filter(message=message).update(labels="Work\n\\Inbox")
    assert export("maria@customer.test")[0]["folders"] == ["All Mail", "INBOX", "Work"]
