"""A mailbox connected with an app password, typed as the provider shows it; without JavaScript too."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from mailaccounts.models import Credential

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.browser.person import Person
    from tests.sandbox_fixtures import SandboxMailbox

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("options", [{"width": 390}, {"width": 1280, "scripts": False}], ids=str)
def test_a_mailbox_is_connected_with_an_app_password(
    new_person: Callable[..., Person], mailbox: SandboxMailbox, options: dict[str, int]
) -> None:
    scripts = bool(options.get("scripts", True))
    person = new_person(viewport={"width": options["width"], "height": 900}, java_script_enabled=scripts)
    page = person.page
    person.sign_in()
    page.goto("/settings/email-accounts/connect/")
    person.enter_address(mailbox.address)
    page.get_by_role("button", name="App password").click()
    page.get_by_label("App password").fill("not the one")
    page.get_by_role("button", name="Connect").click()
    expect(page.get_by_role("alert")).to_contain_text("did not accept the user name or password")
    if scripts:
        person.look("app-password-refused")
    page.get_by_label("App password").fill(f"{mailbox.password[:4]} {mailbox.password[4:]}")
    page.get_by_role("button", name="Connect").click()
    person.begin()
    expect(page.get_by_text("Saved. Mail is brought in, the newest first.")).to_be_visible()
    assert Credential.objects.get().backend == "app_password"
    assert person.complaints == []
