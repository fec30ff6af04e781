"""The pages in the browser where they are not in the CRM's skin: the app's own plain look, and Django's admin."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.app.builders import make_account, make_credential
from tests.browser.person import NARROW

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_django.fixtures import SettingsWrapper

    from tests.browser.person import Person
    from tests.sandbox_fixtures import SandboxMailbox

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_plain_look_is_usable_too(
    new_person: Callable[..., Person], mailbox: SandboxMailbox, settings: SettingsWrapper
) -> None:
    anna = new_person(viewport=NARROW)
    anna.sign_in()
    account = make_credential(make_account(anna.user, status="needs_owner", status_message="What to do.")).account
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": []}]
    for end in (
        "",
        "connect/",
        f"{account.pk}/",
        f"{make_account(anna.user, begun=False).pk}/begin/",
        *(f"{account.pk}/{page}/" for page in ("switch", "disconnect", "probe", "servers", "writing")),
    ):
        anna.page.goto(f"/settings/email-accounts/{end}")
        anna.look("plain-" + (end.strip("/").replace("/", "-") or "accounts"))
    for page in ("new", "drafts", "outbox"):
        anna.page.goto(f"/mail/{page}/")
        anna.look(f"plain-{page}")
    anna.page.goto("/settings/email-accounts/connect/")
    anna.enter_address(mailbox.address)
    expect(anna.page.get_by_role("button", name="Continue to Microsoft")).to_be_visible()
    anna.look("plain-one-click")
    anna.page.goto(f"/settings/email-accounts/{account.pk}/disconnect/")
    anna.page.get_by_role("button", name="Disconnect").click()
    expect(anna.page.get_by_text("We have destroyed it.")).to_be_visible()
    anna.look("plain-receipt")
    assert anna.complaints == []


def test_the_admin_works_under_the_content_security_policy(new_person: Callable[..., Person]) -> None:
    anna = new_person(viewport={"width": 1280, "height": 860})
    anna.user.is_staff = anna.user.is_superuser = True
    anna.user.save()
    anna.sign_in()
    account = make_credential(make_account(anna.user)).account
    for end in ("", "mailaccounts/mailaccount/", f"mailaccounts/mailaccount/{account.pk}/change/", "crm/contact/add/"):
        anna.page.goto(f"/admin/{end}")
        expect(anna.page.locator("#content")).to_be_visible()
    anna.look("admin", judge=False)  # Django's own pages
    assert anna.complaints == []
