"""Finding conversations: the newest, filtered, and by words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from mailaccounts.models import Attachment, Folder, Message, MessageUid, Thread
from mailaccounts.services.inbox import browse
from mailaccounts.services.storing import search, summaries
from tests.app.builders import make_account, make_message, make_user

if TYPE_CHECKING:
    from mailaccounts.models import MailAccount
    from mailaccounts.services.inbox.browse import Page, Wanted

pytestmark = pytest.mark.django_db

NOON = datetime(2024, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def account() -> MailAccount:
    return make_account()


def put(account: MailAccount, subject: str = "", *, hours: int = 0, flags: str = "\\Seen", **columns: Any) -> Thread:
    """A conversation of one message."""
    where = columns.pop("folder", "INBOX")
    folder, _ = Folder.objects.get_or_create(account=account, name=where, defaults={"uidvalidity": 1})
    when = NOON + timedelta(hours=hours)
    message = make_message(account, subject=subject, received_at=when, **columns)
    seen = "\\Seen" in flags
    MessageUid.objects.create(folder=folder, message=message, uidvalidity=1, uid=message.pk, flags=flags, seen=seen)
    summaries.refresh(account.pk, [message.thread_id])
    return message.thread


def everything(*accounts: MailAccount, **wishes: Any) -> Wanted:
    return browse.Wanted(accounts=[account.pk for account in accounts], **wishes)


def keys(page: Page) -> list[int]:
    return [thread.pk for thread in page.threads]


def subjects(words: str, *accounts: MailAccount, **wishes: Any) -> list[str]:
    page = browse.found(everything(*accounts, **wishes), search.read(words), page=0, count=50)
    return [Message.objects.get(thread=thread).subject for thread in page.threads]


def test_pages_go_on_where_the_last_one_ended_through_several_mailboxes() -> None:
    first, second = make_account(), make_account()
    put(make_account(), hours=5)
    threads = [put((first, second)[hour % 3 == 0], hours=hour // 2) for hour in range(11)]
    expected = [thread.pk for thread in sorted(threads, key=lambda each: (each.messages.get().received_at, each.pk))]
    seen: list[int] = []
    below = None
    while True:
        page = browse.newest(everything(first, second), below=below, count=4)
        seen += keys(page)
        if page.after is None:
            break
        below = browse.Place.read(str(page.after))
        assert below == page.after
    assert seen == expected[::-1]


def test_mail_that_comes_while_a_page_is_read_leads_nobody_back_to_the_top(account: MailAccount) -> None:
    oldest, middle, newest = (put(account, hours=hour) for hour in (1, 2, 3))

    def comes_meanwhile(execute: Any, sql: str, *rest: Any) -> Any:
        if 'AS "newest"' in sql:
            Thread.objects.filter(pk=middle.pk).update(last_message_at=NOON + timedelta(hours=9))
        return execute(sql, *rest)

    with connection.execute_wrapper(comes_meanwhile):
        page = browse.newest(everything(account), below=None, count=2)
    assert keys(page) == [newest.pk, middle.pk]
    assert keys(browse.newest(everything(account), below=page.after, count=2)) == [oldest.pk]


@pytest.mark.parametrize("text", ["", "x", "12", "12-", "-1-2", "9" * 30 + "-1", "1-" + "9" * 30, "\u0661-\u0661"])
def test_a_place_that_nobody_wrote_is_none(text: str) -> None:
    assert browse.Place.read(text) is None


def test_filters_leave_out_what_is_otherwise(account: MailAccount) -> None:
    unread, flagged = put(account, hours=1, flags=""), put(account, hours=2, flags="\\Seen \\Flagged")
    elsewhere, attached = put(account, hours=3, folder="Work"), put(account, hours=4)
    Attachment.objects.create(message=attached.messages.get(), position=0, content_type="x/y", size=1)
    summaries.refresh(account.pk, [attached.pk])
    work = Folder.objects.get(name="Work")
    for wishes, expected in (
        ({"unread": True}, unread),
        ({"flagged": True}, flagged),
        ({"attached": True}, attached),
        ({"folders": [work.pk]}, elsewhere),
    ):
        assert keys(browse.newest(everything(account, **wishes), below=None, count=9)) == [expected.pk]
    assert keys(browse.newest(everything(account, folders=[work.pk], unread=True), below=None, count=9)) == []
    assert keys(browse.newest(everything(), below=None, count=9)) == []


def test_a_conversation_that_was_expunged_is_not_there(account: MailAccount) -> None:
    gone = put(account, "Invoice")
    gone.messages.update(gone_since=NOON)
    summaries.refresh(account.pk, [gone.pk])
    assert keys(browse.newest(everything(account), below=None, count=9)) == []
    assert subjects("invoice", account) == []


def test_every_word_has_to_be_there_be_it_as_a_beginning(account: MailAccount) -> None:
    put(account, "Invoice 2024", body_text="Please find it attached.", people="Maria Anders maria@customer.test")
    put(account, "Lunch", body_text="The invoice can wait.", people="Bob bob@customer.test")
    assert sorted(subjects("invoice", account)) == ["Invoice 2024", "Lunch"]
    assert subjects("INVO maria", account) == ["Invoice 2024"]
    assert subjects("maria@customer.test", account) == ["Invoice 2024"]
    assert sorted(subjects("customer.test", account)) == ["Invoice 2024", "Lunch"]
    assert subjects('"find it attached"', account) == ["Invoice 2024"]
    assert subjects('"it find attached"', account) == []
    assert subjects("nvoice", account) == []


def test_the_subject_counts_for_more_than_the_text_and_of_equals_the_newest(account: MailAccount) -> None:
    put(account, "Plan", hours=1, body_text="x")
    put(account, "Text", hours=5, body_text="In the plan there was something about something else.")
    put(account, "Plan", hours=2, body_text="x")
    page = browse.found(everything(account), search.read("plan"), page=0, count=9)
    assert [thread.last_message_at.hour - 12 for thread in page.threads if thread.last_message_at] == [2, 1, 5]


def test_what_was_found_is_marked(account: MailAccount) -> None:
    put(
        account, "About the offer", body_text=f"<b>Dear</b> Anna, {'word ' * 300} your offer has come \x02at last\x03."
    )
    page = browse.found(everything(account), search.read("offer"), page=0, count=9)
    (excerpt,) = page.excerpts.values()
    assert [piece.text for piece in excerpt.subject if piece.found] == ["offer"]
    assert "".join(piece.text for piece in excerpt.subject) == "About the offer"
    assert "offer" in [piece.text for piece in excerpt.text if piece.found]
    assert not any({"\x02", "\x03"} & set(piece.text) for piece in excerpt.text)


@pytest.mark.parametrize("words", ["'", '"', "\\", ":*", "& !x", "OR x", "NEAR(x)", "subject:x", "%s", "\x00", "-x"])
def test_nothing_that_is_typed_is_an_operator(account: MailAccount, words: str) -> None:
    put(account, "An offer")
    assert subjects(words, account) == []
    assert subjects(f"offer {words}", account) in ([], ["An offer"])


def test_of_more_than_can_be_looked_at_the_newest_are(account: MailAccount, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "MOST", 2)
    for hour, subject in enumerate(["offer 0", "offer 1", "else", "offer 2", "else", "else"]):
        put(account, subject, hours=hour)
    assert sorted(subjects("offer", account)) == ["offer 1", "offer 2"]
    assert browse.found(everything(account), search.read("offer"), page=0, count=9).limited


@pytest.mark.parametrize("newest", [1, 3, 6])
def test_it_makes_no_difference_among_how_many_messages_words_are_looked_for_first(
    account: MailAccount, monkeypatch: pytest.MonkeyPatch, newest: int
) -> None:
    monkeypatch.setattr(search, "NEWEST", newest)
    monkeypatch.setattr(search, "MOST", 2)
    second = make_account(account.owner)
    for hour, subject in enumerate(["offer 0", "offer 1", "else", "offer 2", "else", "else"]):
        put(account, subject, hours=hour)
        put(second, f"second {subject}", hours=hour - 10)
    assert sorted(subjects("offer", account)) == ["offer 1", "offer 2"]
    assert sorted(subjects("offer", second)) == ["second offer 1", "second offer 2"]
    assert sorted(subjects("offer", account, second)) == ["offer 1", "offer 2"]
    assert subjects("0", account) == ["offer 0"]


def test_a_search_without_a_word_is_none(account: MailAccount) -> None:
    assert search.read(" ' \" - ...") == ()
    assert search.read('one "two  three" ') == ("one", "two  three")
    assert len(search.read("word " * 1000)) == 10


def test_nobody_elses_mail_is_found(account: MailAccount) -> None:
    put(make_account(), "Secret plans")
    put(account, "Plans")
    assert subjects("plans", account) == ["Plans"]
    assert subjects(f"={account.pk}", account) == []


def test_the_search_follows_what_is_stored(account: MailAccount) -> None:
    message = put(account, "Offer").messages.get()
    Message.objects.filter(pk=message.pk).update(body_text="came later")
    assert subjects("later", account) == ["Offer"]
    message.delete()
    assert subjects("later", account) == []


def test_a_very_long_message_is_stored_and_found_by_its_beginning(account: MailAccount) -> None:
    text = " ".join(f"w{number:07}" for number in range(300_000))
    put(account, "Long", body_text=text)
    assert subjects("w0000005", account) == ["Long"]


def test_the_number_of_queries_depends_on_nothing(account: MailAccount) -> None:
    numbers = []
    for more in (2, 30):
        for hour in range(more):
            put(account, "Offer", hours=hour)
        with CaptureQueriesContext(connection) as queries:
            browse.newest(everything(account), below=None, count=20)
            browse.found(everything(account), search.read("offer"), page=0, count=20)
        numbers.append(len(queries))
    assert numbers == [6, 6]


def test_a_mailbox_on_its_way_out_has_no_mail_to_see() -> None:
    user = make_user()
    kept = make_account(user)
    make_account(user, status="disconnected", status_code="erasing")
    make_account()
    assert list(browse.accounts_of(user)) == [kept.pk]
