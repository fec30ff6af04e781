"""Messages are written on pages, kept as one types, and sent from there; nobody else finds them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from mailaccounts.errors import QuotedWithdrawn
from mailaccounts.models import Look, MailAccount, Outgoing, OutgoingState, Visibility
from mailaccounts.services.sending import may_send
from tests.app.builders import make_account, make_message, make_outgoing, make_user
from tests.app.pages import problem
from tests.crm.builders import store_message

if TYPE_CHECKING:
    from django.http import HttpResponse
    from django.test import Client
    from pytest_django.fixtures import SettingsWrapper

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true"}


@pytest.fixture
def account(client: Client) -> MailAccount:
    account = make_account(status="ok", sender_name="Anna", signature="Anna, Office")
    client.force_login(account.owner)
    return account


def typed(account: MailAccount, **changes: Any) -> dict[str, Any]:
    words = {
        "sender": str(account.pk),
        "to": "maria@c.test",
        "cc": "",
        "bcc": "",
        "subject": "Offer",
        "text": "Dear M.",
    }
    return {**words, "do": "save", **changes}


def the_draft() -> Outgoing:
    return Outgoing.objects.get()


def words_of(response: HttpResponse) -> str:
    return response.content.decode()


def test_a_new_message_begins_with_whom_it_is_for_and_the_signature_and_keeps_nothing(
    client: Client, account: MailAccount
) -> None:
    page = words_of(client.get("/mail/new/?to=Maria+%3Cmaria@c.test%3E"))
    assert 'value="Maria &lt;maria@c.test&gt;"' in page
    assert "-- \nAnna, Office" in page
    assert not Outgoing.objects.exists()


def test_what_is_typed_is_kept_once_however_often_it_is_saved(client: Client, account: MailAccount) -> None:
    first = client.post("/mail/new/", typed(account, text="Dear"), headers=HTMX)
    draft = the_draft()
    assert first["HX-Replace-Url"] == f"/mail/drafts/{draft.pk}/"
    assert f'value="{draft.pk}" id="draft-key" hx-swap-oob' in words_of(first)
    again = client.post("/mail/new/", typed(account, draft=draft.pk, text="Dear Maria"), headers=HTMX)
    assert "Saved at" in words_of(again)
    draft = the_draft()
    assert (draft.body_text, draft.sender_name, draft.author) == ("Dear Maria", "Anna", account.owner)
    assert "Dear Maria" in words_of(client.get(f"/mail/drafts/{draft.pk}/"))
    assert "Offer" in words_of(client.get("/mail/drafts/"))


def test_a_sent_message_is_queued_and_in_the_outbox(client: Client, account: MailAccount) -> None:
    page = words_of(client.post("/mail/new/", typed(account, do="send"), follow=True))
    assert "on its way" in page
    assert 'data-state="queued"' in page
    assert the_draft().state == OutgoingState.QUEUED
    assert "No drafts" in words_of(client.get("/mail/drafts/"))
    late = client.post(f"/mail/drafts/{the_draft().pk}/", typed(account, text="too late"), headers=HTMX)
    assert 'data-code="outgoing_changed"' in words_of(late)
    assert the_draft().body_text == "Dear M."


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"to": "a@b.test\r\nBcc: x@y.test"}, "unsafe_argument"),
        ({"to": "not an address"}, "invalid_input"),
        ({"to": ""}, "no_recipients"),
        ({"subject": "Offer\r\nBcc: x@y.test"}, "unsafe_argument"),
        ({"sender": "999999"}, "invalid"),
        ({"text": "a\0b"}, "invalid"),
    ],
)
def test_what_cannot_be_sent_is_said_and_stays_as_it_was_typed(
    client: Client, account: MailAccount, changes: dict[str, str], code: str
) -> None:
    response = client.post("/mail/new/", typed(account, do="send", **changes))
    assert problem(response)[0] == code
    assert "Dear M." in words_of(response) or "\0" in changes.get("text", "")
    assert not Outgoing.objects.exclude(state=OutgoingState.DRAFT).exists()


def test_files_are_attached_left_out_and_not_more_than_the_server_takes(
    client: Client, account: MailAccount, settings: SettingsWrapper
) -> None:
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "MAX_OUTGOING_BYTES": 10_000}
    file = SimpleUploadedFile("Angebot.pdf", b"%PDF" * 100, content_type="application/pdf")
    page = client.post("/mail/new/", typed(account, do="attach", files=[file]), follow=True)
    assert 'data-file="Angebot.pdf"' in words_of(page)
    draft = the_draft()
    here = f"/mail/drafts/{draft.pk}/"
    big = SimpleUploadedFile("big.bin", b"x" * 9000)
    refused = client.post(here, typed(account, do="send", text="Dear", files=[big]))
    assert problem(refused)[0] == "message_too_large"
    draft = the_draft()
    assert (draft.state, draft.body_text, draft.enclosed.count()) == (OutgoingState.DRAFT, "Dear", 1)
    client.post(here, typed(account), headers=HTMX)
    assert draft.enclosed.count() == 1, "saving leaves files alone"
    client.post(here, typed(account, leave_out=draft.enclosed.get().pk))
    assert draft.enclosed.count() == 0


def test_a_mailbox_that_only_reads_says_how_to_send_and_keeps_the_draft(client: Client, account: MailAccount) -> None:
    MailAccount.objects.update(smtp_host="")
    response = client.post("/mail/new/", typed(account, do="send"))
    assert problem(response)[0] == "sending_not_allowed"
    assert f"/settings/email-accounts/{account.pk}/allow-sending/" in words_of(response)
    assert the_draft().state == OutgoingState.DRAFT


def test_what_waits_for_a_new_sign_in_says_so(client: Client, account: MailAccount) -> None:
    MailAccount.objects.update(status="needs_owner")
    now = timezone.now()
    make_outgoing(
        account, state="queued", raw=b"x", queued_at=now, held_at=now, code="grant_revoked", message="Ended."
    )
    page = words_of(client.get("/mail/outbox/"))
    assert f"/settings/email-accounts/{account.pk}/reconnect/" in page
    assert "Ended." in page
    assert "hx-get" not in page, "there is nothing to wait for"
    assert f"/settings/email-accounts/{account.pk}/reconnect/" in words_of(client.get("/mail/new/"))


def test_an_answer_begins_with_whom_it_is_for_and_what_was_said(client: Client, account: MailAccount) -> None:
    message = store_message(account, sender="maria@c.test", to=account.address, body_text="Could you deliver?")
    for way, whom in (("reply", "maria@c.test"), ("reply-all", "maria@c.test"), ("forward", "")):
        response = client.post(f"/mail/message/{message.pk}/{way}/")
        draft = Outgoing.objects.latest("pk")
        assert response["Location"] == f"/mail/drafts/{draft.pk}/"
        assert "".join(each.address for each in draft.recipients.all()) == whom
        assert "Could you deliver?" in draft.body_text
        assert draft.body_text.index("Anna, Office") < draft.body_text.index("Could you deliver?")
    assert client.get(f"/mail/message/{message.pk}/reply/").status_code == 405


def test_an_alias_that_is_asked_for_twice_at_once_is_one(client: Client, account: MailAccount) -> None:
    def is_asked_for_in_another_tab(execute: Any, sql: str, *rest: Any) -> Any:
        done = execute(sql, *rest)
        if (
            sql.startswith("SELECT")
            and 'FROM "mailaccounts_alias"' in sql
            and "COUNT" not in sql
            and not account.aliases.count()
        ):
            account.aliases.create(address="sales@example.test")
        return done

    with connection.execute_wrapper(is_asked_for_in_another_tab):
        client.post(f"/settings/email-accounts/{account.pk}/aliases/", {"address": "Sales@example.test"})
    assert account.aliases.get().address == "sales@example.test"
    assert Outgoing.objects.get().state == OutgoingState.QUEUED


def test_an_answer_to_an_alias_comes_from_it(client: Client, account: MailAccount) -> None:
    account.aliases.create(address="Sales@example.test", proven_at=timezone.now())
    message = store_message(account, sender="maria@c.test", to="sales@example.test")
    client.post(f"/mail/message/{message.pk}/reply/")
    assert the_draft().sender == "Sales@example.test"


def test_a_teammate_answers_what_they_may_read_from_a_mailbox_of_their_own(
    client: Client, account: MailAccount
) -> None:
    theirs = make_account(visibility=Visibility.EVERYTHING)
    message = store_message(theirs, sender="maria@c.test", to=theirs.address)
    assert client.post(f"/mail/message/{message.pk}/reply/").status_code == 302
    assert the_draft().account == account
    assert Look.objects.get().viewer == account.owner
    for visibility in (Visibility.SUBJECT, Visibility.OWNER):
        MailAccount.objects.filter(pk=theirs.pk).update(visibility=visibility)
        assert client.post(f"/mail/message/{message.pk}/reply/").status_code == 404


def test_nobody_else_finds_what_somebody_writes(client: Client, account: MailAccount) -> None:
    draft, message = make_outgoing(account), make_message(account)
    client.force_login(make_user())
    pages = [f"/mail/drafts/{draft.pk}/"]
    acts = [
        *pages,
        f"/mail/outbox/{draft.pk}/",
        *(f"/mail/message/{message.pk}/{way}/" for way in ("reply", "forward")),
    ]
    assert {client.get(each).status_code for each in pages} == {404}
    assert {client.post(each, {"do": "discard"}).status_code for each in acts} == {404}
    assert Outgoing.objects.filter(pk=draft.pk).exists()
    client.logout()
    everything = [*acts, "/mail/new/", "/mail/drafts/", "/mail/outbox/"]
    assert {client.post(each)["Location"].partition("?")[0] for each in everything} == {"/accounts/login/"}


def test_somebody_without_a_mailbox_is_told_to_connect_one(client: Client) -> None:
    client.force_login(make_user())
    assert problem(client.get("/mail/new/"))[0] == "no_way_to_answer"


def test_nobody_writes_from_an_account_that_isnt_theirs(client: Client, account: MailAccount) -> None:
    other = make_account()
    assert problem(client.post("/mail/new/", typed(other, do="send")))[0] == "invalid"
    draft = make_outgoing(account)
    client.post(f"/mail/drafts/{draft.pk}/", typed(other))
    assert the_draft().account == account


@pytest.mark.parametrize("page", ["/mail/drafts/", "/mail/outbox/"])
def test_the_lists_cost_as_many_queries_for_many_messages_as_for_one(
    client: Client, account: MailAccount, page: str
) -> None:
    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as captured:
            assert client.get(page).status_code == 200
        return len(captured)

    def write() -> None:
        draft = make_outgoing(account, state="draft" if "drafts" in page else "failed")
        draft.recipients.create(role="to", position=0, address="a@b.test")

    write()
    few = queries()
    for _ in range(12):
        write()
    assert queries() == few < 20


def test_what_a_draft_quotes_goes_once_its_author_may_not_read_it_any_more(
    client: Client, account: MailAccount
) -> None:
    theirs = make_account(visibility=Visibility.EVERYTHING)
    message = store_message(theirs, sender="maria@c.test", to=theirs.address, body_text="The secret number")
    message.attachments.create(position=0, name="offer.pdf", content_type="application/pdf", size=3)
    for act in ("reply", "forward"):
        client.post(f"/mail/message/{message.pk}/{act}/")
    answer, passed_on = Outgoing.objects.order_by("pk")
    passed_on.enclosed.create(position=9, name="mine.pdf", content_type="application/pdf", content=b"mine")
    queued = typed(account, text=f"My words{passed_on.quoted}", do="save")
    assert client.post(f"/mail/drafts/{passed_on.pk}/", queued, headers=HTMX).status_code == 200
    assert "The secret number" in words_of(client.get(f"/mail/drafts/{passed_on.pk}/"))
    may_send.insist(passed_on)

    MailAccount.objects.filter(pk=theirs.pk).update(visibility=Visibility.SUBJECT)
    for each in (answer, passed_on):  # in the post already, say
        with pytest.raises(QuotedWithdrawn):
            may_send.insist(each)
    page = words_of(client.get(f"/mail/drafts/{passed_on.pk}/"))
    assert 'data-code="quoted_withdrawn"' in page
    assert "My words" in page
    assert "secret number" not in page
    assert [each.name for each in passed_on.enclosed.all()] == ["mine.pdf"]
    may_send.insist(passed_on)

    text = f"Dear Maria{answer.quoted}"  # typed on a page that was opened before
    assert client.post(f"/mail/drafts/{answer.pk}/", typed(account, text=text), headers=HTMX)["HX-Refresh"] == "true"
    answer.refresh_from_db()
    assert (answer.body_text, answer.code, answer.quoted) == ("Dear Maria", "quoted_withdrawn", "")

    own = store_message(account, sender="maria@c.test", to=account.address, body_text="To me")
    client.post(f"/mail/message/{own.pk}/reply/")
    own.delete()
    assert "&gt; To me" in words_of(client.get(f"/mail/drafts/{Outgoing.objects.latest('pk').pk}/"))
