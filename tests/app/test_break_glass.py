"""A mailbox that staff open, giving a reason: who may, who learns of it, and what is left of it."""

from __future__ import annotations

import smtplib
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.core import mail
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone
from django_q.models import OrmQ

from crm.hooks import CrmHooks
from mailaccounts import selectors, tasks
from mailaccounts.hooks import Hooks
from mailaccounts.models import (
    ERASING,
    AccountStatus,
    AuditAction,
    AuditEntry,
    BreakGlass,
    Look,
    MailAccount,
    Visibility,
)
from mailaccounts.queue import Job
from mailaccounts.services.connecting.disconnect import disconnect
from mailaccounts.services.connecting.erase import erase
from mailaccounts.services.trail import break_glass, looks
from tests.app.builders import make_account, make_message, make_user
from tests.app.staff import make_staff

if TYPE_CHECKING:
    from django.test import Client
    from pytest_django.fixtures import SettingsWrapper

pytestmark = pytest.mark.django_db(transaction=True)

REASON = "Anna misses an order confirmation"


@pytest.fixture
def account() -> MailAccount:
    account = make_account(make_user("anna"))
    account.owner.email = "anna@work.test"
    account.owner.save()
    return account


@pytest.fixture
def jo() -> Any:
    return make_staff("jo", "open_mail")


def open_mail(account: MailAccount, viewer: Any, minutes: int = 15) -> BreakGlass:
    return break_glass.open_mail(account, viewer=viewer, reason=REASON, minutes=minutes)


def work() -> None:
    """A worker does what is queued."""
    for each in list(OrmQ.objects.order_by("pk")):
        if each.task["func"] == Job.TELL_OPENED:
            tasks.tell_opened(*each.task["args"])
        each.delete()


def test_it_takes_the_permission_a_reason_and_somebody_elses_mailbox(account: MailAccount, jo: Any) -> None:
    boss, plain = make_user("boss"), make_user("plain")
    boss.is_staff = boss.is_superuser = True
    boss.save()
    plain.user_permissions.set(jo.user_permissions.all())
    for viewer in (account.owner, make_staff("support", "view_mailaccount"), plain):
        with pytest.raises(PermissionDenied):
            open_mail(account, viewer)
    for wrong in ({"reason": " ", "minutes": 15}, {"reason": REASON, "minutes": 100_000}):
        with pytest.raises(ValueError, match="reason"):
            break_glass.open_mail(account, viewer=jo, **wrong)
    with pytest.raises(PermissionDenied):
        open_mail(make_account(jo), jo)
    message = make_message(account)
    assert not selectors.readable_by(boss, opened=True).exists()
    open_mail(account, boss)
    assert selectors.readable_by(boss, opened=True).get() == message
    assert not selectors.readable_by(jo, opened=True).exists()
    MailAccount.objects.update(status=AccountStatus.DISCONNECTED, status_code=ERASING)
    assert not selectors.readable_by(boss, opened=True).exists()
    with pytest.raises(PermissionDenied):
        open_mail(account, jo)


def test_where_a_host_knows_no_staff_nobody_may_and_no_page_breaks(
    account: MailAccount, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(_: Any) -> None:
        raise AttributeError("is_staff")

    message = make_message(account)
    client.force_login(account.owner)
    monkeypatch.setattr(type(account.owner), "is_staff", property(unknown, lambda *_: None))
    assert client.get(f"/mail/{message.thread_id}/").status_code == 200
    assert client.get("/settings/email-accounts/campaigns/").status_code == 404
    assert client.get(f"/mail/opened/{account.pk}/").status_code == 404


def test_the_longest_time_is_for_the_installation_to_say(settings: SettingsWrapper) -> None:
    assert break_glass.spans() == [15, 60, 240]
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "OPEN_MAIL_MINUTES": 30}
    assert break_glass.spans() == [15, 30]


def test_its_owner_is_told_by_mail_and_again_until_it_is_gone(
    account: MailAccount, jo: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise smtplib.SMTPServerDisconnected(REASON)

    with monkeypatch.context() as broken:
        broken.setattr(Hooks, "notify_owner", refuse)
        opening = open_mail(account, jo)
        work()
        assert break_glass.tell_due() == 0
    assert mail.outbox == []
    assert REASON not in caplog.text
    assert break_glass.tell_due() == 1
    assert break_glass.tell_due() == 0
    (told,) = mail.outbox
    assert told.to == ["anna@work.test"]
    assert told.subject == f"Somebody looks at the mail of {account.address}"
    assert "jo opened the mail" in told.body
    assert REASON in told.body
    opening.refresh_from_db()
    assert opening.told_at is not None


def test_a_reason_says_nothing_in_our_name(account: MailAccount, jo: Any) -> None:
    """What it says is told as its author's, in a line: they can't end the mail with a paragraph of their own."""
    reason = "An order is missing.\r\n\r\nThis was a test: nobody looks.\n\N{LINE SEPARATOR}<b>Support</b>"
    break_glass.open_mail(account, viewer=jo, reason=reason, minutes=15)
    work()
    (told,) = mail.outbox
    (line,) = (each for each in str(told.body).splitlines() if "nobody looks" in each)
    assert line.startswith("Their reason: “An order is missing. This was a test") and line.endswith("<b>Support</b>”")


def test_the_audit_trail_says_that_it_was_opened_and_closed_and_not_why(account: MailAccount, jo: Any) -> None:
    opening = open_mail(account, jo, 60)
    assert open_mail(account, jo) == opening  # pressed twice
    assert break_glass.end([opening], actor=jo) == 1
    assert break_glass.end([opening], actor=jo) == 0
    opened, closed = AuditEntry.objects.order_by("at")
    assert (opened.action, closed.action) == (AuditAction.OPENED, AuditAction.CLOSED)
    assert (opened.actor, opened.owner, opened.account) == (jo, account.owner, account.pk)
    assert opened.facts == {"opening": opening.pk, "until": opening.until.isoformat()}
    assert closed.facts == {"opening": opening.pk}


def test_a_look_is_noted_once_for_each_time_that_it_is_opened(account: MailAccount, jo: Any) -> None:
    message, why = make_message(account), "Read the conversation"
    account.visibility = Visibility.EVERYTHING
    account.save()
    looks.note(message, viewer=jo, why=why)  # as a colleague
    first = open_mail(account, jo)
    for _ in range(2):
        looks.note(message, viewer=jo, why=why)
        looks.note_list(first)
    break_glass.end([first], actor=jo)
    looks.note(message, viewer=jo, why=why)  # as a colleague again, within the hour
    second = open_mail(account, jo)
    looks.note(message, viewer=jo, why=why)
    assert list(Look.objects.order_by("pk").values_list("opened", "message")) == [
        (None, message.pk),
        (first.pk, message.pk),
        (first.pk, None),
        (second.pk, message.pk),
    ]


def test_what_was_opened_goes_with_the_account_and_no_sooner(account: MailAccount, jo: Any) -> None:
    opening = open_mail(account, jo)
    looks.note(make_message(account), viewer=jo, why="Read the conversation")
    with pytest.raises(Exception, match="written once"), transaction.atomic():
        BreakGlass.objects.all().delete()
    jo.delete()
    opening.refresh_from_db()
    assert opening.viewer is None
    disconnect(account, erase_mail=True, actor=account.owner)
    assert erase(account.pk)
    assert not BreakGlass.objects.exists()
    assert AuditEntry.objects.filter(action=AuditAction.OPENED).exists()


def test_its_owner_sees_who_looks_why_and_at_what(client: Client, account: MailAccount, jo: Any) -> None:
    opening = open_mail(account, jo)
    looks.note(make_message(account, subject="An order"), viewer=jo, why="Read the conversation")
    looks.note_list(opening)
    client.force_login(account.owner)
    pages = {
        reverse("inbox"): (told := f"jo may look at the mail of {account.address}"),
        reverse("mailaccounts:account", args=[account.pk]): told,
        (ledger := reverse("mailaccounts:ledger", args=[account.pk])): "Open now",
    }
    for page, words in pages.items():
        assert words in client.get(page).content.decode(), page
    MailAccount.objects.update(status=AccountStatus.DISCONNECTED)  # and what was stored is kept
    assert told in client.get(reverse("inbox")).content.decode()
    type(jo).objects.filter(pk=jo.pk).update(is_active=False)
    assert told not in client.get(reverse("inbox")).content.decode()
    type(jo).objects.filter(pk=jo.pk).update(is_active=True)
    BreakGlass.objects.update(until=timezone.now() - timedelta(minutes=1))
    for page, words in pages.items():
        assert words not in client.get(page).content.decode(), page
    page = client.get(ledger).content.decode()
    assert page.count(REASON) == 3  # the opening, and both looks
    assert "Subjects and senders" in page
    client.force_login(jo)
    assert client.get(ledger).status_code == 404


def test_the_form_wants_a_few_words_and_to_know_who_sits_there(
    client: Client, account: MailAccount, jo: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.force_login(jo)
    form, filled_in = reverse("mailaccounts:open_mail", args=[account.pk]), {"reason": REASON, "minutes": 60}
    with monkeypatch.context() as again:
        again.setattr(CrmHooks, "reauthenticate", lambda self, request: HttpResponse("Who is it?"))
        assert client.get(form).content == client.post(form, filled_in).content == b"Who is it?"
    for wrong in ({"reason": "Need it"}, {"minutes": 100_000}, {"minutes": ""}):
        assert client.post(form, {**filled_in, **wrong}).context["form"].errors.keys() == wrong.keys()
    assert not BreakGlass.objects.exists()
    opened = client.post(form, filled_in, follow=True)
    assert opened.redirect_chain == [(reverse("mailaccounts:opened", args=[account.pk]), 302)]
    assert f"You are looking at mail of {account.address}" in opened.content.decode()
    closed = client.post(reverse("mailaccounts:close_mail", args=[account.pk]), follow=True)
    assert "is closed to you again" in closed.content.decode()
    assert not selectors.openings_by(jo).exists()


def test_the_admin_leads_there_and_ends_it(client: Client, account: MailAccount, jo: Any) -> None:
    opening = open_mail(account, jo)
    change = f"/admin/mailaccounts/mailaccount/{account.pk}/change/"
    way = reverse("mailaccounts:open_mail", args=[account.pk])
    for name, permissions, leads in (("support", (), False), ("trusted", ("open_mail",), True)):
        client.force_login(make_staff(name, "view_mailaccount", "operate_mailaccount", *permissions))
        assert (way in client.get(change).content.decode()) == leads, name
    openings, chosen = "/admin/mailaccounts/breakglass/", {"action": "end_now", "_selected_action": [opening.pk]}
    client.force_login(make_staff("auditor", "view_breakglass"))
    assert REASON in client.get(f"{openings}?now=open").content.decode()
    client.post(openings, chosen)
    assert selectors.openings_by(jo).exists()
    client.force_login(make_staff("chief", "view_breakglass", "change_breakglass"))
    client.post(openings, chosen)
    assert not selectors.openings_by(jo).exists()
    assert AuditEntry.objects.filter(action=AuditAction.CLOSED, actor__username="chief").exists()
    assert REASON in client.get(f"{openings}?now=over").content.decode()
