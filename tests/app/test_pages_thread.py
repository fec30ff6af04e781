"""The page of a conversation: what it shows to whom."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.urls import reverse
from django.utils import timezone

from mailaccounts.models import Attachment, Look, MailAccount, Message, Participant, Role, Shown, Thread, Visibility
from tests.app.builders import make_account, make_message, make_user

if TYPE_CHECKING:
    from django.test import Client

pytestmark = pytest.mark.django_db

INVITATION = """BEGIN:VCALENDAR
METHOD:REQUEST
BEGIN:VEVENT
SUMMARY:Kick-off
DTSTART:20260105T090000Z
DTEND:20260105T100000Z
LOCATION:Room 4
ORGANIZER;CN=Maria:mailto:maria@customer.test
END:VEVENT
END:VCALENDAR
"""


def make_letter(account: MailAccount, text: str = "Good morning", **columns: Any) -> Message:
    message = make_message(account, **{"subject": "Offer", "has_body": True, "body_text": text, **columns})
    Participant.objects.create(
        message=message, role=Role.FROM, position=0, address="maria@customer.test", name="Maria Anders"
    )
    Participant.objects.create(message=message, role=Role.TO, position=0, address=account.address)
    return message


def page_of(client: Client, thread: Thread, user: Any = None) -> str:
    client.force_login(user or thread.account.owner)
    response = client.get(reverse("mailaccounts:thread", args=[thread.pk]))
    assert response.status_code == 200
    return response.content.decode()


@pytest.fixture
def account() -> MailAccount:
    return make_account()


def test_the_newest_message_is_last_and_open_and_the_others_are_folded(client: Client, account: MailAccount) -> None:
    thread = Thread.objects.create(account=account, subject="Offer")
    for days, text in ((3, "the first"), (1, "the last"), (2, "the second")):
        make_letter(account, text, thread=thread, received_at=timezone.now() - timedelta(days=days))
    page = page_of(client, thread)
    assert page.index("the first") < page.index("the second") < page.index("the last")
    folds = [part.split(">", 1)[0] for part in page.split('<details class="letter-fold"')[1:]]
    assert folds == ["", "", " open"]


def test_quoted_text_is_folded_and_what_is_new_is_not(client: Client, account: MailAccount) -> None:
    quoted = "\n".join(f"> line {number}" for number in range(10))
    message = make_letter(account, f"Agreed.\n\nOn Monday you wrote:\n{quoted}\n\nRegards")
    page = page_of(client, message.thread)
    before, _, folded = page.partition('<details class="letter-quote">')
    assert "Agreed." in before and "&gt; line 3\n" not in before
    assert "line 3" in folded.partition("</details>")[0] and "Regards" not in folded.partition("</details>")[0]


def test_a_message_of_html_is_in_a_frame_that_may_do_nothing(client: Client, account: MailAccount) -> None:
    message = make_letter(account, body_html='<p>Hello <img data-src="https://x.test/a.png"></p>')
    page = page_of(client, message.thread)
    assert 'sandbox="allow-popups allow-popups-to-escape-sandbox"' in page
    assert f'src="{reverse("mailaccounts:body", args=[message.pk])}"' in page
    assert "<p>Hello" not in page and "x.test" not in page
    assert "Show pictures" in page


def test_an_invitation_is_shown_as_one(client: Client, account: MailAccount) -> None:
    page = page_of(client, make_letter(account, calendar=INVITATION).thread)
    for words in ("Invitation: <bdi>Kick-off</bdi>", "Room 4", "5 Jan 2026"):
        assert words in page


def test_attachments_are_links_and_pictures_of_the_text_are_not_among_them(
    client: Client, account: MailAccount
) -> None:
    message = make_letter(account, body_html="<p>Hello</p>")
    columns = {"message": message, "content_type": "application/pdf", "size": 10_000}
    offer = Attachment.objects.create(position=0, name="offer.pdf", **columns)
    Attachment.objects.create(position=1, name="logo.png", inline=True, content_id="logo@x", **columns)
    page = page_of(client, message.thread)
    assert reverse("mailaccounts:attachment", args=[offer.pk]) in page
    assert "logo.png" not in page and "?show" not in page
    Attachment.objects.update(content_type="image/png")
    assert f"{reverse('mailaccounts:attachment', args=[offer.pk])}?show" in page_of(client, message.thread)


def test_a_colleague_sees_as_much_as_the_owner_shares_and_is_noted_if_it_is_the_text(
    client: Client, account: MailAccount
) -> None:
    message, colleague = make_letter(account, "between us"), make_user()
    address = reverse("mailaccounts:thread", args=[message.thread_id])
    client.force_login(colleague)
    assert client.get(address).status_code == 404
    MailAccount.objects.update(visibility=Visibility.SUBJECT)
    page = page_of(client, message.thread, colleague)
    assert "Offer" in page and "Maria Anders" in page and "between us" not in page
    assert "/reply/" not in page and not Look.objects.exists()
    MailAccount.objects.update(visibility=Visibility.EVERYTHING)
    assert "between us" in page_of(client, message.thread, colleague)
    assert [(each.viewer, each.message) for each in Look.objects.all()] == [(colleague, message)]


def test_a_conversation_is_not_called_after_a_message_that_its_owner_hides(
    client: Client, account: MailAccount
) -> None:
    first = make_letter(account, subject="What we pay them")
    Thread.objects.update(subject=first.subject)
    make_letter(account, subject="Re: offer", thread=first.thread)
    MailAccount.objects.update(visibility=Visibility.SUBJECT)
    Message.objects.filter(pk=first.pk).update(shown=Shown.HIDDEN)
    assert "What we pay them" in page_of(client, first.thread)
    page = page_of(client, first.thread, make_user())
    assert "Re: offer" in page and "What we pay them" not in page


def test_the_same_message_in_another_mailbox_is_a_link(client: Client, account: MailAccount) -> None:
    fingerprint = secrets.token_hex(32)
    other = make_account(account.owner, address="sales@example.test")
    strange = make_account(address="secret@example.test")
    here, there, hidden = (make_letter(each, fingerprint=fingerprint) for each in (account, other, strange))
    page = page_of(client, here.thread)
    assert reverse("mailaccounts:thread", args=[there.thread_id]) in page and "sales@example.test" in page
    assert "secret@example.test" not in page
    assert hidden.thread_id not in (here.thread_id, there.thread_id)


def test_names_cannot_turn_the_page_around(client: Client, account: MailAccount) -> None:
    message = make_letter(account, subject="a\u202eb")
    Participant.objects.filter(role=Role.FROM).update(name='</bdi>"><script>alert(1)</script>')
    page = page_of(client, message.thread)
    assert "<script>alert" not in page
    assert "<bdi>&lt;/bdi&gt;" in page


def test_a_long_conversation_takes_as_many_queries_as_a_short_one(
    client: Client, account: MailAccount, django_assert_max_num_queries: Any
) -> None:
    thread = Thread.objects.create(account=account)
    for _ in range(40):
        make_letter(account, thread=thread)
    client.force_login(account.owner)
    with django_assert_max_num_queries(12):
        response = client.get(reverse("mailaccounts:thread", args=[thread.pk]))
    assert response.content.decode().count('class="card letter"') == 25
    assert "Earlier messages" in response.content.decode()


def test_a_message_without_end_is_shown_as_far_as_people_read(client: Client, account: MailAccount) -> None:
    page = page_of(client, make_letter(account, "> quoted\nsaid <\n" * 60_000).thread)
    assert len(page) < 400_000
    assert "The message is longer; the rest is not shown." in page


def test_the_document_of_a_message_loads_nothing_but_its_own_pictures(client: Client, account: MailAccount) -> None:
    html = '<p>Hello <img data-src="https://x.test/a.png"> <img data-src="cid:logo@x"></p>'
    message = make_letter(account, body_html=html)
    client.force_login(account.owner)
    address = reverse("mailaccounts:body", args=[message.pk])
    response = client.get(address)
    policy = response["Content-Security-Policy"]
    for rule in ("default-src 'none'", "frame-ancestors 'self'", "sandbox allow-popups", "form-action 'none'"):
        assert rule in policy
    assert "allow-scripts" not in policy and "allow-same-origin" not in policy
    assert f"img-src http://testserver{reverse('mailaccounts:picture', args=['x'])[:-2]};" in policy
    assert response["X-Frame-Options"] == "SAMEORIGIN"
    assert response.content.decode().count(" src=") == 1  # that which comes with the message
    assert client.get(f"{address}?pictures").content.decode().count(" src=") == 2
    assert ' src="https://x.test' not in client.get(f"{address}?pictures").content.decode()
