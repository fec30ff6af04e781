"""Two administrators at one browser: ours lets an organisation in, theirs consents; a canary keeps it in check."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from mailaccounts.models import OAuthClient, TenantAccess
from tests.app.organisations import by_password, registered
from tests.browser.person import NARROW, WIDE
from tests.sandbox_fixtures import SandboxMailbox, new_user

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page
    from pytest_django.fixtures import SettingsWrapper

    from mailaccounts.testing.sandbox import Sandbox
    from tests.browser.person import Person
    from tests.crm_process import Cluster

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "/admin/mailaccounts/tenantaccess/"


@pytest.fixture
def new_boss(new_person: Callable[..., Person], settings: SettingsWrapper) -> Callable[..., Person]:
    """An administrator of a CRM whose registrations were entered in the admin."""

    def make(**options: object) -> Person:
        person = new_person("boss", **options)
        person.user.is_staff = person.user.is_superuser = True
        person.user.save()
        return person

    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "CLIENTS": {}}
    return make


@pytest.fixture
def administrator(world: Sandbox) -> SandboxMailbox:
    """Of the organisation."""
    user = world.add_user(replace(new_user(), is_admin=True))
    return SandboxMailbox(sandbox=world, user=user)


@pytest.fixture
def bird(world: Sandbox) -> SandboxMailbox:
    """A manager's mailbox, which nobody opened to the application."""
    user = world.add_user(replace(new_user(), closed_to_apps=True))
    return SandboxMailbox(sandbox=world, user=user)


def state(page: Page) -> str | None:
    return page.locator("p.notice[role=status]").get_attribute("data-code")


def test_an_organisation_is_let_in_and_kept_in_check(
    new_boss: Callable[..., Person],
    world: Sandbox,
    administrator: SandboxMailbox,
    bird: SandboxMailbox,
    new_mailbox: Callable[[], SandboxMailbox],
    worker: Cluster,
) -> None:
    boss = new_boss(viewport=WIDE, permissions=["clipboard-read", "clipboard-write"])
    page = boss.page
    mailbox, forgotten = new_mailbox(), new_mailbox()
    world.add_user(replace(forgotten.user, closed_to_apps=True))
    for each in (mailbox, forgotten):
        by_password(world, each.user)
    client = registered(world.idp, name="Contoso mail", app_only=False)
    world.idp.faults.withdraw_admin_consent()
    boss.sign_in()

    page.goto(f"{LIST}add/")
    page.get_by_role("button", name="Allow it for Contoso mail").click()
    expect(page.get_by_role("button", name="Sign in as an administrator")).to_be_visible()
    assert OAuthClient.objects.get(pk=client.pk).app_only
    boss.look("let-in")

    page.get_by_role("button", name="Sign in as an administrator").click()
    boss.sign_in_at_provider(administrator)
    page.locator("button[name=allow]").click()
    expect(page.get_by_role("heading", name="Your CRM asks for permission in everybody's mailbox")).to_be_visible()
    page.locator("button[name=decline]").click()
    expect(page.get_by_text("Permission was not given at Microsoft.")).to_be_visible()
    boss.look("declined")
    assert not TenantAccess.objects.exists()

    page.get_by_role("button", name="Sign in as an administrator").click()
    boss.sign_in_at_provider(administrator)
    page.locator("button[name=allow]").click()
    page.locator("button[name=allow]").click()
    expect(page.get_by_text("lets this installation in.")).to_be_visible()
    assert "state=" not in page.url
    assert state(page) == "canary_missing"
    expect(page.locator('[data-permission="SMTP.SendAsApp"]')).to_have_attribute("data-granted", "yes")
    boss.look("consented")

    page.get_by_label("Mailbox that must be refused").fill(mailbox.address)
    page.get_by_role("button", name="Try to open it").click()
    expect(page.locator(".errornote, .messagelist .error")).to_contain_text("but it opened")
    assert state(page) == "canary_opened"
    boss.look("opened")

    page.get_by_label("Mailbox that must be refused").fill(bird.address)
    page.get_by_role("button", name="Try to open it").click()
    expect(page.locator(".messagelist .success")).to_contain_text("was refused, as it must be")
    assert state(page) == ""
    boss.look("on")

    world.add_user(replace(bird.user, closed_to_apps=False))
    page.get_by_role("button", name="Check everything now").click()
    expect(page.locator(".messagelist .error")).to_contain_text("but it opened")
    assert not TenantAccess.objects.get().is_on

    world.add_user(bird.user)
    page.get_by_role("button", name="Check everything now").click()
    expect(page.locator(".messagelist .success")).to_be_visible()

    page.get_by_role("link", name="Begin a campaign").click()
    page.get_by_label("Name").fill("Everybody")
    page.get_by_label("Domain").fill("sandbox.test")
    page.get_by_label("Who consents").select_option("app_only")
    page.get_by_role("button", name="See who can move").click()
    expect(page.locator("[data-count=at_once]")).to_have_text("2")
    page.get_by_role("button", name="Create the campaign").click()
    page.get_by_role("button", name="Start (2)").click()
    moved, refused = (
        page.locator("#campaign-board li").filter(has_text=each.address) for each in (mailbox, forgotten)
    )
    expect(moved).to_have_attribute("data-state", "switched")
    expect(refused).to_have_attribute("data-state", "failed")
    boss.look("moved")

    page.goto(LIST)
    boss.look("list")
    page.get_by_role("link", name=world.idp.tenant).click()
    expect(page.get_by_text("1 of 2 moved, 1 failed")).to_be_visible()
    missing = page.locator("#missing")
    expect(missing).to_contain_text(f"Add-MailboxPermission -Identity '{forgotten.address}'")
    page.get_by_role("button", name="Copy the missing lines").click()
    assert page.evaluate("navigator.clipboard.readText()") == missing.inner_text()
    boss.look("refused")
    assert boss.complaints == []
    assert TenantAccess.objects.get().consented_by == administrator.address


def test_a_workspace_is_let_in_without_javascript(
    new_boss: Callable[..., Person], world: Sandbox, new_mailbox: Callable[..., SandboxMailbox]
) -> None:
    anna = new_mailbox(domain="google.test")
    bird = world.add_user(replace(new_user(domain="google.test"), closed_to_apps=True))
    boss = new_boss(viewport=NARROW, java_script_enabled=False)
    page = boss.page
    registered(world.idp, "google", name="Workspace")
    boss.sign_in()
    page.goto(f"{LIST}add/")
    expect(page.get_by_text("https://mail.google.com/", exact=True)).to_be_visible()
    boss.look("workspace", judge=False)
    page.get_by_label("Mailbox to try").fill(anna.address)
    page.get_by_role("button", name="Try whether it is delegated").click()
    expect(page.get_by_text("google.test lets this installation in.")).to_be_visible()
    page.get_by_label("Mailbox that must be refused").fill(bird.address)
    page.get_by_role("button", name="Try to open it").click()
    expect(page.get_by_text("was refused, as it must be")).to_be_visible()
    boss.look("workspace-on", judge=False)
    page.get_by_role("button", name="Switch access off").click()
    expect(page.get_by_text("Somebody switched it off here.")).to_be_visible()
