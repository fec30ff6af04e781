"""What reaches a contact's timeline, and who sees it there."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.auth.models import AnonymousUser, Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from crm import selectors
from crm.models import TimelineEntry
from mailaccounts import selectors as mail
from mailaccounts.models import Look, MailAccount, Message, Shown, Visibility
from mailaccounts.signals import message_stored, people_changed
from tests.app.builders import make_account, make_user
from tests.crm.builders import make_contact, store_message

if TYPE_CHECKING:
    from django.test import Client

pytestmark = pytest.mark.django_db


def test_a_stored_message_appears_with_every_contact_in_it() -> None:
    account, maria, thomas = make_account(), make_contact("maria@c.test"), make_contact("thomas@c.test")
    message = store_message(account, sender="maria@c.test", to="thomas@c.test")
    for contact in (maria, thomas):
        assert [entry.message for entry in selectors.timeline(contact, user=account.owner)] == [message]


def test_announcing_a_message_twice_writes_it_once() -> None:
    account, maria = make_account(), make_contact("maria@c.test")
    message = store_message(account, sender="maria@c.test", to=account.address)
    message_stored.send(sender=None, message_ids=[message.pk], account_id=account.pk)
    assert TimelineEntry.objects.filter(contact=maria).count() == 1


def test_announcing_a_message_that_is_gone_does_nothing() -> None:
    message_stored.send(sender=None, message_ids=[123456789], account_id=1)
    assert not TimelineEntry.objects.exists()


def test_many_messages_are_written_with_three_queries(django_assert_num_queries: Any) -> None:
    account, maria = make_account(), make_contact("maria@c.test")
    ids = [store_message(account, sender="maria@c.test", to=account.address, announce=False).pk for _ in range(20)]
    with django_assert_num_queries(3):
        message_stored.send(sender=None, message_ids=ids, account_id=account.pk)
    assert TimelineEntry.objects.filter(contact=maria).count() == 20


def test_the_same_message_through_two_mailboxes_appears_once() -> None:
    owner, maria = make_user(), make_contact("maria@c.test")
    for _ in range(2):
        store_message(make_account(owner), sender="maria@c.test", to="team@us.test", fingerprint="f" * 64)
    assert TimelineEntry.objects.filter(contact=maria).count() == 2
    assert selectors.timeline(maria, user=owner).count() == 1
    assert selectors.activity([maria], user=owner)[maria.pk].messages == 1


def test_the_newest_message_comes_first() -> None:
    account, maria, now = make_account(), make_contact("maria@c.test"), timezone.now()
    for days in (2, 0, 1):
        store_message(
            account, sender="maria@c.test", to=account.address, subject=f"{days} days", when=now - timedelta(days=days)
        )
    subjects = [entry.message.subject for entry in selectors.timeline(maria, user=account.owner)]
    assert subjects == ["0 days", "1 days", "2 days"]


def test_older_mail_is_on_the_next_page_and_each_message_on_one(client: Client) -> None:
    owner, maria, now = make_user(), make_contact("maria@c.test"), timezone.now()
    accounts = [make_account(owner), make_account(owner)]
    for number in range(35):
        for account in accounts:
            store_message(
                account, sender="maria@c.test", to="team@us.test", subject=f"Number {number}.",
                when=now - timedelta(hours=number // 3), fingerprint=f"{number:064}",
            )  # fmt: skip
    client.force_login(owner)
    first = client.get(f"/contacts/{maria.pk}/").text
    older = re.search(r'rel="next" href="(\?below=[^"]+)">Older', first)
    assert older and "Newest" not in first
    second = client.get(f"/contacts/{maria.pk}/{older[1]}").text
    assert "Older" not in second and f'href="/contacts/{maria.pk}/">Newest' in second
    numbers = [re.findall(r">Number (\d+)\.</a>", page) for page in (first, second)]
    assert [len(each) for each in numbers] == [30, 5]
    assert sorted(map(int, numbers[0] + numbers[1])) == list(range(35))


def test_the_list_of_contacts_counts_the_newest_mail_and_says_when_there_is_more(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selectors, "COUNTED", 2)
    account, maria, thomas = make_account(), make_contact("maria@c.test"), make_contact("thomas@c.test")
    now = timezone.now()
    for contact, number in ((maria, 3), (thomas, 2)):
        for days in range(number):
            store_message(account, sender=contact.email, to=account.address, when=now - timedelta(days=days))
    found = selectors.activity([maria, thomas], user=account.owner)
    assert {key: (each.messages, each.more, each.last) for key, each in found.items()} == {
        maria.pk: (2, True, now),
        thomas.pk: (2, False, now),
    }
    client.force_login(account.owner)
    page = client.get("/contacts/").text
    assert page.count('<td class="number">2+</td>') == page.count('<td class="number">2</td>') == 1


def test_a_colleagues_mail_with_the_contact_is_not_shown(client: Client) -> None:
    account, maria = make_account(), make_contact("maria@c.test")
    store_message(account, sender="maria@c.test", to=account.address, subject="Between the two of us")
    client.force_login(make_user())
    for address in (f"/contacts/{maria.pk}/", "/contacts/", "/inbox/"):
        assert b"Between the two of us" not in client.get(address).content
    assert selectors.activity([maria], user=make_user()) == {}


def test_the_page_tells_who_sent_what(client: Client) -> None:
    account, maria = make_account(), make_contact("maria@c.test")
    store_message(account, sender="maria@c.test", to=account.address, subject="A question")
    store_message(account, sender=account.address, to="maria@c.test", subject="An answer")
    client.force_login(account.owner)
    page = client.get(f"/contacts/{maria.pk}/").content.decode()
    assert page.count('data-direction="received"') == 1
    assert page.count('data-direction="sent"') == 1
    assert "A question" in page
    assert "An answer" in page


def test_what_a_message_says_stays_text(client: Client) -> None:
    account, maria = make_account(), make_contact("maria@c.test")
    store_message(
        account,
        sender="maria@c.test",
        to=account.address,
        subject="<script>alert(1)</script>",
        body_text="<img src=x onerror=alert(1)>",
        body_html="<b>bold</b>",
    )
    client.force_login(account.owner)
    page = client.get(f"/contacts/{maria.pk}/").content.decode()
    assert "<script>alert" not in page
    assert "<img" not in page
    assert "<b>bold" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_a_very_long_message_is_cut_and_says_so(client: Client) -> None:
    account, maria = make_account(), make_contact("maria@c.test")
    store_message(account, sender="maria@c.test", to=account.address, body_text="x" * 500_000)
    client.force_login(account.owner)
    page = client.get(f"/contacts/{maria.pk}/").content
    assert len(page) < 100_000
    assert b"the rest is not shown" in page


def test_a_colleague_sees_as_much_as_the_owner_lets_them_and_that_is_noted(client: Client) -> None:
    account, maria, colleague = make_account(), make_contact("maria@c.test"), make_user()
    store_message(account, sender="maria@c.test", to=account.address, subject="A question", body_text="How much?")
    client.force_login(colleague)
    seen = {}
    for visibility in Visibility.values:
        MailAccount.objects.update(visibility=visibility)
        page = client.get(f"/contacts/{maria.pk}/").content.decode()
        seen[visibility] = ("A question" in page, "How much?" in page, Look.objects.count())
        assert "Colleagues see" not in page
    assert seen == {"owner": (False, False, 0), "subject": (True, False, 0), "everything": (True, True, 1)}
    assert Look.objects.get().why == "On a timeline", "looks outlast those who are erased"


def test_who_has_a_message_by_bcc_is_told_to_its_owner_only(client: Client) -> None:
    account, officer = make_account(visibility=Visibility.EVERYTHING), make_user()
    boss = make_contact("boss@c.test", name="The boss")
    message = store_message(account, sender=account.address, to="maria@c.test", announce=False)
    message.participants.create(role="bcc", position=0, address="boss@c.test", name="The boss")
    message_stored.send(sender=None, message_ids=[message.pk], account_id=account.pk)
    officer.user_permissions.add(Permission.objects.get(codename="handle_personal_data"))
    told = {}
    for user in (account.owner, officer):
        client.force_login(user)
        seen = "The boss" in client.get(f"/mail/{message.thread_id}/").text
        entries = selectors.timeline(boss, user=user).count()
        told[user] = (seen, entries, boss.pk in selectors.activity([boss], user=user))
    assert told == {account.owner: (True, 1, True), officer: (False, 0, False)}
    stored = client.get("/settings/personal-data/", {"person": "boss@c.test"}).text
    assert "recipient" in stored
    assert "bcc" not in stored.lower()
    message.participants.create(role="cc", position=0, address="boss@c.test")
    people_changed.send(sender=None, message_ids=[message.pk])
    assert selectors.timeline(boss, user=officer).count() == 1


def test_a_message_through_two_mailboxes_is_shown_through_the_one_that_shows_more_and_names_both(
    client: Client,
) -> None:
    maria, colleague = make_contact("maria@c.test"), make_user()
    for visibility, text in (("subject", "Closed"), ("everything", "Open")):
        store_message(
            make_account(visibility=visibility, address=f"{visibility}@us.test"),
            sender="maria@c.test", to="team@us.test", fingerprint="f" * 64, body_text=text,
        )  # fmt: skip
    client.force_login(colleague)
    page = client.get(f"/contacts/{maria.pk}/").content.decode()
    assert page.count("timeline-entry") == 1
    assert "Open" in page and "subject@us.test" in page and "everything@us.test" in page
    Message.objects.filter(account__visibility="subject").update(shown=Shown.HIDDEN)
    page = client.get(f"/contacts/{maria.pk}/").content.decode()
    assert "Open" in page and "subject@us.test" not in page


@pytest.mark.parametrize("host", ["crm.hooks.CrmHooks", "mailaccounts.hooks.Hooks"])
def test_a_timeline_has_what_may_be_known_and_no_more_whatever_a_host_shares(settings: Any, host: str) -> None:
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "HOOKS": host}
    users, maria = [make_user(), make_user(), AnonymousUser()], make_contact("maria@c.test")
    for owner in users[:2]:
        for visibility in Visibility.values:
            for shown in Shown.values:
                account = make_account(owner, visibility=visibility)
                store_message(account, sender="maria@c.test", to=account.address, shown=shown)
    for user in users:
        entries = {entry.message_id: entry.access for entry in selectors.timeline(maria, user=user)}
        assert entries == mail.access_to(Message.objects.all(), user)


def test_an_owner_can_hide_each_message_where_it_is_shown(client: Client) -> None:
    account, maria = make_account(visibility="everything"), make_contact("maria@c.test")
    message = store_message(account, sender="maria@c.test", to=account.address)
    client.force_login(account.owner)
    page = client.get(f"/contacts/{maria.pk}/").content.decode()
    assert "Colleagues see everything of this message" in page
    assert f'action="/mail/message/{message.pk}/show/"' in page
    assert f'name="next" value="/contacts/{maria.pk}/"' in page


def test_a_timeline_takes_as_many_queries_for_many_messages_as_for_one(client: Client) -> None:
    account, maria, numbers = make_account(visibility="everything"), make_contact("maria@c.test"), []
    client.force_login(make_user())
    for more in (1, 25):
        for _ in range(more):
            store_message(account, sender="maria@c.test", to=account.address)
        with CaptureQueriesContext(connection) as queries:
            client.get(f"/contacts/{maria.pk}/")
        numbers.append(len(queries))
    assert numbers[0] == numbers[1] <= 20
