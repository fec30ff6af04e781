"""Every page of the app's admin, with two hundred accounts and with nothing at all: readable, wide and narrow."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.contrib import admin
from django.urls import reverse
from django.utils import timezone

from mailaccounts.models import Alarm, BreakGlass, MailAccount, OutgoingState, WebhookDelivery
from mailaccounts.services.trail import looks
from tests.app.builders import make_client, make_grant, make_opening, make_outgoing, make_quarantined, make_user
from tests.app.campaigns import lets_in, make_campaign, make_movable
from tests.app.crowd import crowd, make_accounts, make_entries
from tests.browser.person import WIDE
from tests.crm.builders import make_contact, store_message
from tests.letters import CONTACT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.browser.person import Person

pytestmark = pytest.mark.django_db(transaction=True)

MODELS = [model for model in admin.site._registry if model._meta.app_label == "mailaccounts"]


@pytest.fixture
def boss(new_person: Callable[..., Person]) -> Person:
    boss = new_person("boss", viewport=WIDE)
    boss.user.is_staff = boss.user.is_superuser = True
    boss.user.save()
    boss.sign_in()
    return boss


@pytest.fixture
def account() -> MailAccount:
    """One of two hundred, with some of everything."""
    accounts = make_accounts(200)
    account, now = accounts[7], timezone.now()
    MailAccount.objects.filter(pk=account.pk).update(
        status="needs_owner", status_code="password_rejected",
        status_message="The server refused the password. Type it again, or use an app password.",
    )  # fmt: skip
    make_entries(12, account)
    client = make_client(name="Contoso", secret_expires_on=timezone.localdate() + timedelta(days=12))
    make_client(name="Google", provider="google", authority="https://accounts.example.test", verified_at=now)
    for name in ("emma.long-name@contoso-deutschland.example", "jo@contoso.example"):
        make_grant(
            client, signed_in_as=name, scopes=["https://outlook.office365.com/IMAP.AccessAsUser.All", "offline_access"]
        )
    lets_in(client, "8d3f9c1e-4b7a-4a0e-9d55-0a1b2c3d4e5f")
    make_campaign(*(make_movable() for _ in range(5)), client=client)
    for place, each in enumerate(accounts[:5]):
        make_quarantined(each, fault="unreadable", size=48_000_000, attempts=place)
        make_outgoing(each, state=OutgoingState.FAILED, code="recipient_refused", queued_at=now, attempts=3)
        make_opening(
            each, viewer=make_user(), reason="A customer says that the confirmation of order 4711 never came."
        )
    Alarm.objects.create(kind="broker", words="The broker is out of reach. See whether Redis runs.", since=now)
    WebhookDelivery.objects.create(
        event="alarm.raised", payload={"kind": "broker", "raised": True}, attempts=2, last_status=503
    )
    return account


def pages(account: MailAccount) -> Iterator[tuple[str, str]]:
    """What the page is called, and its address: of each model the list, one row, and its history; and our own."""
    yield "index", reverse("admin:app_list", args=["mailaccounts"])
    for model in MODELS:
        name = model._meta.model_name
        yield f"{name}-list", reverse(f"admin:mailaccounts_{name}_changelist")
        row = account if model is MailAccount else model._default_manager.order_by("pk").last()
        assert row is not None, name
        yield f"{name}-one", reverse(f"admin:mailaccounts_{name}_change", args=[row.pk])
        if admin.site._registry[model].has_add_permission.__qualname__.startswith("BaseModelAdmin"):
            yield f"{name}-add", reverse(f"admin:mailaccounts_{name}_add")
    for ours in ("dashboard", "off_board"):
        yield ours, reverse(f"admin:mailaccounts_mailaccount_{ours}")
    yield "probe", reverse("admin:mailaccounts_mailaccount_probe", args=[account.pk])
    yield "history", reverse("admin:mailaccounts_mailaccount_history", args=[account.pk])
    yield "open-mail", reverse("mailaccounts:open_mail", args=[account.pk])
    for name in ("campaigns", "new_campaign"):
        yield name, reverse(f"mailaccounts:{name}")


def test_every_page_is_readable_with_two_hundred_accounts(boss: Person, account: MailAccount) -> None:
    for name, address in pages(account):
        boss.page.goto(address)
        boss.look(name)
    assert boss.complaints == []


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_lists_and_the_dashboard_are_readable_with_a_hundred_thousand_accounts(boss: Person) -> None:
    crowd(100_000, 1_000_000)
    for name in ("mailaccount", "auditentry", "breakglass", "webhookdelivery"):
        boss.page.goto(reverse(f"admin:mailaccounts_{name}_changelist"))
        boss.look(f"many-{name}")
    boss.page.goto(reverse("admin:mailaccounts_mailaccount_dashboard"))
    boss.look("many-dashboard")
    assert boss.complaints == []


def test_every_list_says_so_when_there_is_nothing(boss: Person) -> None:
    for model in MODELS:
        boss.page.goto(reverse(f"admin:mailaccounts_{model._meta.model_name}_changelist"))
        boss.look(f"no-{model._meta.model_name}")
    boss.page.goto(reverse("admin:mailaccounts_mailaccount_dashboard"))
    boss.look("empty-dashboard")
    assert boss.complaints == []


def test_opened_mail_is_readable(boss: Person, account: MailAccount) -> None:
    make_contact(CONTACT, name="Maria Anders")
    message = store_message(account, sender=CONTACT, to=account.address, subject="Where is order 4711?")
    opening = make_opening(account, viewer=boss.user, reason="The confirmation of order 4711 never came.")
    boss.page.goto(reverse("mailaccounts:opened", args=[account.pk]))
    boss.look("opened")
    boss.page.get_by_role("link", name="Where is order 4711?").click()
    boss.look("opened-conversation")
    looks.note(message, viewer=boss.user, why="Read the conversation")
    boss.page.goto(reverse("admin:mailaccounts_breakglass_change", args=[opening.pk]))
    boss.look("breakglass-with-looks")
    assert BreakGlass.objects.get(pk=opening.pk).looks.count() >= 1
    assert boss.complaints == []
