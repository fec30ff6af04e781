"""The pages about an account's mail, in the browser: a first sync, older mail, messages set aside."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from tests.app.builders import make_account, make_credential, make_message, make_quarantined

if TYPE_CHECKING:
    from collections.abc import Callable

    from mailaccounts.models import MailAccount
    from tests.browser.person import Person

pytestmark = pytest.mark.django_db(transaction=True)

DISPLAYS = [{"width": 390}, {"width": 1280, "scripts": False}]


@pytest.fixture
def somebody(new_person: Callable[..., Person]) -> Callable[..., tuple[Person, MailAccount, bool]]:
    """Signs Anna in at a display: herself, her account, and whether axe, which is a script, can judge the pages."""

    def make(width: int, *, scripts: bool = True, **columns: Any) -> tuple[Person, MailAccount, bool]:
        anna = new_person(viewport={"width": width, "height": 860}, java_script_enabled=scripts)
        account = make_account(anna.user, last_sync_at=timezone.now(), status="ok", **columns)
        make_credential(account)
        anna.sign_in()
        return anna, account, scripts

    return make


@pytest.mark.parametrize("display", DISPLAYS)
def test_a_first_sync_shows_how_far_it_is(
    somebody: Callable[..., tuple[Person, MailAccount, bool]], display: dict[str, int]
) -> None:
    soon = timezone.now() + timedelta(minutes=5)
    anna, account, judge = somebody(
        **display, lease_owner="a-worker", lease_until=soon, stage="INBOX: 1,200 of 4,800, 3 minutes left"
    )
    account.folders.create(
        name="INBOX", role="inbox", uidvalidity=1, history_below=3601, history_done=1200, history_total=4800
    )
    anna.page.goto(f"/settings/email-accounts/{account.pk}/")
    expect(anna.page.get_by_text("3 minutes left")).to_be_visible()
    expect(anna.page.get_by_role("progressbar")).to_have_attribute("value", "1200")
    anna.look("first-sync", judge=judge)
    assert anna.complaints == []


@pytest.mark.parametrize("display", DISPLAYS)
def test_messages_set_aside_are_shown_and_released_by_a_key(
    somebody: Callable[..., tuple[Person, MailAccount, bool]], display: dict[str, int]
) -> None:
    anna, account, judge = somebody(**display)
    address = f"/settings/email-accounts/{account.pk}/set-aside/"
    anna.page.goto(address)
    expect(anna.page.get_by_text("Nothing is set aside")).to_be_visible()
    anna.look("set-aside-empty", judge=judge)
    again = timezone.now() + timedelta(hours=1)
    offer = make_message(account, subject="Offer for the " + "very long " * 20 + "tender")
    make_quarantined(account, message=offer, size=48_000, received_at=timezone.now(), next_attempt_at=again)
    make_quarantined(account, fault="unfetchable", attempts=6)
    anna.page.goto(address)
    expect(anna.page.locator("[data-quarantined]")).to_have_count(2)
    anna.look("set-aside", judge=judge)
    anna.page.get_by_role("button", name="Try all again").focus()
    anna.page.keyboard.press("Enter")
    expect(anna.page.get_by_text("They are tried again")).to_be_visible()
    assert anna.complaints == []


@pytest.mark.parametrize("display", DISPLAYS)
def test_older_mail_is_asked_for_by_a_key_and_a_wrong_day_is_explained(
    somebody: Callable[..., tuple[Person, MailAccount, bool]], display: dict[str, int]
) -> None:
    today = timezone.localdate()
    anna, account, judge = somebody(**display, since=today - timedelta(days=90))
    anna.page.goto(f"/settings/email-accounts/{account.pk}/older-mail/")
    anna.look("older-mail", judge=judge)
    day = anna.page.locator("input[name=since]")
    day.fill("20255-01-01")  # a digit too many
    anna.page.keyboard.press("Enter")
    expect(anna.page.locator("[aria-invalid=true]")).to_be_visible()
    anna.look("older-mail-wrong", judge=judge)
    day.fill((today - timedelta(days=365)).isoformat())
    anna.page.keyboard.press("Enter")
    expect(anna.page.get_by_text("Older mail is on its way")).to_be_visible()
    assert anna.complaints == []
