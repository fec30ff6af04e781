"""The host's own mail through an account: Django's EmailMessage in, an outgoing message out."""

from __future__ import annotations

import email
import email.policy
from typing import TYPE_CHECKING, Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.mail import EmailMessage, EmailMultiAlternatives, get_connection, send_mail
from django_q.models import OrmQ

from mailaccounts.errors import InvalidInput, MailAccountsError, MessageTooLarge, SendingNotAllowed, UnsafeArgument
from mailaccounts.models import MailAccount, Outgoing, OutgoingState
from mailaccounts.queue import Job
from tests.app.builders import make_account, make_user

if TYPE_CHECKING:
    from pytest_django.fixtures import SettingsWrapper

pytestmark = pytest.mark.django_db(transaction=True)

BACKEND = "mailaccounts.email_backend.EmailBackend"


@pytest.fixture
def account(settings: SettingsWrapper) -> MailAccount:
    settings.EMAIL_BACKEND = BACKEND
    settings.DEFAULT_FROM_EMAIL = "The CRM <crm@localhost>"
    settings.MAILACCOUNTS = {
        **settings.MAILACCOUNTS,
        "EMAIL_ACCOUNT": "Office@example.test",
        "MAX_OUTGOING_BYTES": 10_000,
    }
    return make_account(address="office@example.test")


def message(**changes: Any) -> EmailMultiAlternatives:
    given: dict[str, Any] = {"subject": "Grüße", "body": "Hällo", "to": ["Maria <maria@customer.test>"], **changes}
    return EmailMultiAlternatives(**given)


def raw_of(outgoing: Outgoing) -> Any:
    return email.message_from_bytes(bytes(outgoing.raw or b""), policy=email.policy.default)


def test_any_message_of_the_hosts_is_queued_with_everything_in_it(account: MailAccount) -> None:
    sent = message(cc=["paul@customer.test"], bcc=["boss@example.test"], headers={"Auto-Submitted": "auto-generated"})
    sent.attach_alternative("<p>Hällo", "text/html")
    sent.attach("offer.pdf", b"\x00\xff", "application/pdf")
    assert sent.send() == 1
    outgoing = Outgoing.objects.get()
    assert (outgoing.account, outgoing.author, outgoing.state) == (account, None, OutgoingState.QUEUED)
    assert [(each.role, each.address) for each in outgoing.recipients.order_by("pk")] == [
        ("to", "maria@customer.test"),
        ("cc", "paul@customer.test"),
        ("bcc", "boss@example.test"),
    ]
    assert [(each.task["func"], each.task["args"]) for each in OrmQ.objects.all()] == [(Job.SEND, (outgoing.pk,))]
    wire = raw_of(outgoing)
    assert wire["From"] == "The CRM <office@example.test>"
    assert wire["Message-ID"] == f"<{outgoing.message_id}>"
    assert (wire["Auto-Submitted"], wire["Bcc"], wire["Subject"]) == ("auto-generated", None, "Grüße")
    assert wire.get_body(("plain",)).get_content().strip() == "Hällo"
    assert [each.get_filename() for each in wire.iter_attachments()] == ["offer.pdf"]


def test_an_account_can_be_named_for_one_connection(account: MailAccount) -> None:
    other = make_account(address="jo@example.test")
    for named in (other, "JO@example.test"):
        message(from_email="Jo <jo@example.test>", connection=get_connection(BACKEND, account=named)).send()
    assert {each.account for each in Outgoing.objects.all()} == {other}
    assert raw_of(Outgoing.objects.earliest("pk"))["From"] == "Jo <jo@example.test>"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"from_email": "somebody@else.test"}, InvalidInput),
        ({"subject": "a\nBcc: x@y.test"}, UnsafeArgument),
        ({"to": ["a@b.test\r\nBcc: x@y.test"]}, MailAccountsError),
        ({"to": ["no address"]}, InvalidInput),
        ({"headers": {"X-A": "a\r\nBcc: x@y.test"}}, UnsafeArgument),
        ({"body": "x" * 10_000}, MessageTooLarge),
    ],
)
def test_what_cannot_be_sent_is_refused_or_silently_left(
    account: MailAccount, changes: dict[str, Any], error: type[MailAccountsError]
) -> None:
    with pytest.raises(error):
        message(**changes).send()
    assert message(**changes).send(fail_silently=True) == 0
    assert not Outgoing.objects.exists()


def test_an_account_that_only_reads_sends_nothing(account: MailAccount) -> None:
    MailAccount.objects.update(smtp_host="")
    with pytest.raises(SendingNotAllowed):
        send_mail("a", "b", None, ["a@b.test"])


def test_an_address_that_two_people_have_connected_names_no_account(account: MailAccount) -> None:
    make_account(make_user(), "office@example.test")
    with pytest.raises(InvalidInput):
        EmailMessage("a", "b", to=["a@b.test"]).send()


def test_without_an_account_the_host_is_told(account: MailAccount, settings: SettingsWrapper) -> None:
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "EMAIL_ACCOUNT": ""}
    with pytest.raises(ImproperlyConfigured):
        EmailMessage("a", "b", to=["a@b.test"]).send()
