"""The inbox: a user's conversations, filtered and searched."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from mailaccounts.models import Act, MessageUid, Thread
from mailaccounts.services.inbox import actions
from mailaccounts.services.storing import summaries
from tests.app.builders import make_account, make_outgoing, make_user
from tests.crm.builders import make_contact, store_message

if TYPE_CHECKING:
    from django.test import Client

    from mailaccounts.models import MailAccount

pytestmark = pytest.mark.django_db


@pytest.fixture
def account(client: Client) -> MailAccount:
    made = make_account()
    client.force_login(made.owner)
    return made


def put(account: MailAccount, subject: str, **columns: Any) -> Thread:
    return store_message(account, sender="maria@customer.test", to=account.address, subject=subject, **columns).thread


def page(client: Client, query: str = "", **headers: str) -> str:
    return client.get(f"/inbox/?{query}", headers=headers).content.decode()


def subjects(client: Client, query: str = "") -> list[str]:
    text = re.sub(r"</?mark>", "", page(client, query))
    return re.findall(r'<p class="mail-subject">.*?<a [^>]*>(.*?)</a>', text, re.DOTALL)


def test_a_conversation_is_there_once_with_what_is_to_know_of_it(client: Client, account: MailAccount) -> None:
    maria = make_contact("maria@customer.test")
    thread = put(account, "The offer", when=timezone.now() - timedelta(hours=1))
    answer = store_message(
        account, sender=account.address, to="maria@customer.test", subject="Re: The offer", thread=thread
    )
    text = page(client)
    assert subjects(client) == ["Re: The offer"]
    for told in ("2 messages", "Unread:", "Inbox ·", account.address, maria.get_absolute_url(), "Sent by"):
        assert told in text
    assert f'data-message-id="{answer.message_id}"' in text
    MessageUid.objects.update(seen=True)
    summaries.refresh(account.pk, [thread.pk])
    assert "Unread:" not in page(client)


def test_filters_are_in_the_address_and_combine_with_the_search(client: Client, account: MailAccount) -> None:
    put(account, "First offer")
    read = put(account, "Second offer")
    MessageUid.objects.filter(message__thread=read).update(seen=True)
    summaries.refresh(account.pk, [read.pk])
    assert subjects(client, "unread=on") == ["First offer"]
    assert subjects(client, "unread=on&q=offer") == ["First offer"]
    assert sorted(subjects(client, "q=offer")) == ["First offer", "Second offer"]
    assert subjects(client, "q=second") == ["Second offer"]
    assert "Nothing here that matches" in page(client, "q=third")


def test_another_folder_is_chosen_and_nobody_elses(client: Client, account: MailAccount) -> None:
    sent = account.folders.create(name="Sent", role="sent", uidvalidity=1)
    thread = put(account, "Sent away")
    MessageUid.objects.update(folder=sent)
    summaries.refresh(account.pk, [thread.pk])
    assert subjects(client) == []
    assert subjects(client, f"folder={sent.pk}") == subjects(client, "folder=all") == ["Sent away"]
    other = put(make_account(), "Not yours")
    theirs = other.folders.get().folder_id
    assert subjects(client, f"folder={theirs}") == subjects(client, f"account={other.account_id}") == []
    assert subjects(client, "folder=all&q=yours") == []


def test_of_two_mailboxes_one_may_be_chosen(client: Client, account: MailAccount) -> None:
    second = make_account(account.owner)
    put(account, "In the first")
    put(second, "In the second")
    assert subjects(client) == ["In the second", "In the first"]
    assert subjects(client, f"account={second.pk}") == ["In the second"]


def test_older_mail_is_on_the_next_page(client: Client, account: MailAccount) -> None:
    for hour in range(35):
        put(account, f"Number {hour}", when=timezone.now() - timedelta(hours=hour))
    assert subjects(client) == [f"Number {hour}" for hour in range(30)]
    following = re.search(r'rel="next" href="\?([^"]+)"', page(client, "folder=all"))
    assert following is not None
    assert subjects(client, following[1].replace("&amp;", "&")) == [f"Number {hour}" for hour in range(30, 35)]
    found = subjects(client, "q=number") + subjects(client, "q=number&page=1")
    assert sorted(found) == sorted(f"Number {hour}" for hour in range(35))


def test_what_was_found_is_marked_and_markup_in_it_stays_text(client: Client, account: MailAccount) -> None:
    put(account, "<i>The</i> offer", body_text="An <script>alert(1)</script> offer for you")
    text = page(client, "q=offer")
    assert "&lt;i&gt;The&lt;/i&gt; <mark>offer</mark>" in text
    assert "<script>alert" not in text
    assert "<mark>offer</mark> for you" in text


def test_the_list_is_asked_for_again_and_again_and_answers_when_it_changed(
    client: Client, account: MailAccount
) -> None:
    put(account, "First")
    state = re.search(r'data-state="([^"]+)"', page(client))
    assert state is not None
    with CaptureQueriesContext(connection) as queries:
        assert client.get(f"/inbox/?state={state[1]}", headers={"HX-Request": "true"}).status_code == 204
    assert len(queries) <= 4  # session, user, mailboxes, what was refused
    put(account, "Second")
    text = page(client, f"state={state[1]}", **{"HX-Request": "true"})
    assert "Second" in text
    assert "<html" not in text


def test_strangers_see_nothing(client: Client, account: MailAccount) -> None:
    put(account, "Private")
    client.force_login(make_user())
    for query in ("", "folder=all", "q=private", f"account={account.pk}"):
        assert "Private" not in page(client, query)
    client.logout()
    assert client.get("/inbox/").status_code == 302


def test_odd_questions_are_answered_like_plain_ones(client: Client, account: MailAccount) -> None:
    put(account, "There")
    for query in ("below=x", "page=-1", "page=%00", "account=x", "folder=%00", "unread", "q=%00"):
        assert client.get(f"/inbox/?{query}").status_code == 200


def test_the_number_of_queries_depends_on_nothing(client: Client, account: MailAccount) -> None:
    numbers = []
    for more in (1, 40):
        for number in range(more):
            put(account, f"Number {number}")
        make_contact()
        counted = []
        for query in ("", "folder=all&unread=on", "q=number"):
            with CaptureQueriesContext(connection) as queries:
                page(client, query)
            counted.append(len(queries))
        numbers.append(counted)
    assert numbers[0] == numbers[1]
    assert max(numbers[0]) < 20, numbers


# --- what is done with conversations ---


def press(client: Client, what: str, *threads: Thread, query: str = "", **data: Any) -> str:
    """The page that pressing a button leads to."""
    data = {"act": what, "thread": [thread.pk for thread in threads], **data}
    return client.post(f"/inbox/act/?{query}", data, follow=True).content.decode()


def is_unread(thread: Thread) -> bool:
    thread.refresh_from_db()
    return thread.unread > 0


def test_what_was_done_is_said_with_a_button_to_undo_it(client: Client, account: MailAccount) -> None:
    first, second = put(account, "First"), put(account, "Second")
    text = press(client, "read", first, query="unread=on")
    assert "1 message marked as read." in text
    assert not is_unread(first) and is_unread(second)
    address = re.search(r'action="(/inbox/undo/[^"]+)"', text)
    assert address is not None and address[1].endswith("?unread=on")
    text = client.post(address[1], follow=True).content.decode()
    assert "Undone for 1 message." in text and "marked as read" not in text
    assert is_unread(first)
    assert "nothing left to undo" in client.post(address[1], follow=True).content.decode()


def test_conversations_are_moved_and_archived(client: Client, account: MailAccount) -> None:
    work = account.folders.create(name="Work", role="other", uidvalidity=1)
    first, second = put(account, "First"), put(account, "Second")
    assert "moved to Work" in press(client, "move", first, target=work.pk)
    assert subjects(client) == ["Second"]
    assert subjects(client, f"folder={work.pk}") == ["First"]
    assert "nothing to archive" in press(client, "archive", second)
    account.folders.create(name="Old", role="archive", uidvalidity=1)
    assert "moved to Old" in press(client, "archive", first, second)
    assert subjects(client) == []
    assert sorted(subjects(client, "folder=all")) == ["First", "Second"]


def test_a_button_that_lacks_something_says_what(client: Client, account: MailAccount) -> None:
    thread = put(account, "First")
    trash = account.folders.create(name="Trash", role="trash", uidvalidity=1)
    assert "Choose at least one conversation first." in press(client, "read")
    assert "Choose the folder to move to first." in press(client, "move", thread)
    assert "Choose the folder to move to first." in press(client, "move", thread, target=trash.pk)
    press(client, "read", thread)
    assert "It was like that already." in press(client, "read", thread)
    assert client.post("/inbox/act/", {"act": "delete", "thread": thread.pk}).status_code == 404
    assert client.get("/inbox/act/").status_code == 405


def test_what_was_refused_is_said_until_it_is_dismissed(client: Client, account: MailAccount) -> None:
    thread = put(account, "First")
    press(client, "read", thread)
    account.actions.update(state="refused", message="The server doesn't allow this. Ask somebody.")
    text = page(client)
    assert "1 message couldn&#x27;t be marked as read. The server doesn&#x27;t allow this. Ask somebody." in text
    dismissed = client.post("/inbox/dismiss/", {"action": account.actions.get().pk}, follow=True)
    assert "Ask somebody" not in dismissed.content.decode()


def test_a_conversation_is_marked_on_its_own_page(client: Client, account: MailAccount) -> None:
    thread = put(account, "First")
    address = f"/mail/{thread.pk}/mark/"
    text = client.post(address, {"act": "read"}, headers={"HX-Request": "true"}).content.decode()
    assert "Mark as unread" in text and "<html" not in text
    assert not is_unread(thread)
    text = client.post(address, {"act": "unread"}, follow=True).content.decode()
    assert "Mark as read" in text and 'hx-trigger="load"' not in text, "it isn't read again because it is shown"
    assert is_unread(thread)
    assert 'hx-trigger="load"' in client.get(f"/mail/{thread.pk}/").content.decode()
    assert client.post(address, {"act": "move"}).status_code == 404
    assert client.get(address).status_code == 405


def test_a_conversation_that_a_sync_merges_into_another_while_it_is_marked_is_not_found(
    client: Client, account: MailAccount
) -> None:
    thread = put(account, "First")

    def is_merged_meanwhile(execute: Any, sql: str, *rest: Any) -> Any:
        done = execute(sql, *rest)
        if sql.startswith('INSERT INTO "mailaccounts_mailaction"'):
            Thread.objects.filter(pk=thread.pk).delete()
        return done

    with connection.execute_wrapper(is_merged_meanwhile):
        answer = client.post(f"/mail/{thread.pk}/mark/", {"act": "read"}, headers={"HX-Request": "true"})
    assert answer.status_code == 404


def test_what_a_sync_finds_while_a_conversation_is_flagged_is_not_forgotten(
    client: Client, account: MailAccount
) -> None:
    thread = put(account, "First")

    def is_answered_elsewhere(execute: Any, sql: str, *rest: Any) -> Any:
        done = execute(sql, *rest)
        if sql.startswith('INSERT INTO "mailaccounts_mailaction"'):
            MessageUid.objects.update(flags="\\Answered \\Seen", seen=True)
        return done

    with connection.execute_wrapper(is_answered_elsewhere):
        press(client, "flag", thread)
    assert MessageUid.objects.get().flags == "\\Answered \\Flagged \\Seen"
    assert not is_unread(thread)


def test_nobody_acts_on_anothers_mail(client: Client, account: MailAccount) -> None:
    thread = put(account, "First")
    request = actions.mark(account.owner, [thread.pk], Act.FLAG)
    refused = account.actions.get()
    account.actions.update(state="refused")
    client.force_login(make_user())
    press(client, "read", thread)
    press(client, "move", thread, target=account.folders.get().pk)
    client.post(f"/inbox/undo/{request}/")
    client.post("/inbox/dismiss/", {"action": refused.pk})
    assert is_unread(thread)
    assert account.actions.filter(undone=False, dismissed=False).count() == 1
    assert "flagged" not in page(client, f"done={request}").partition('id="inbox-list"')[0].replace('"flagged"', "")


@pytest.mark.parametrize("number", ["9" * 5000, "9" * 30, "²", "x"])
def test_numbers_that_nothing_has_are_nobodys(client: Client, account: MailAccount, number: str) -> None:
    draft = make_outgoing(account)
    written = {"sender": str(account.pk), "to": "", "subject": "x", "text": "y"}
    assert client.post("/inbox/act/", {"act": "read", "thread": number}).url == "/inbox/"
    assert client.post("/inbox/dismiss/", {"action": number}).url == "/inbox/"
    assert client.post(f"/mail/drafts/{draft.pk}/", {**written, "leave_out": number}).status_code == 302
    assert client.post("/mail/new/", {**written, "draft": number}).status_code == 302
