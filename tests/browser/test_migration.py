"""From a password to OAuth at each kind of provider, back again and once more; wide and narrow."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from mailaccounts.models import MailAccount, MigrationStep
from mailaccounts.rules.migration_states import MigrationState
from mailaccounts.services.syncing.sync import sync_account
from tests.app.builders import make_account, make_credential
from tests.browser.person import NARROW, WIDE
from tests.crm.builders import make_contact
from tests.letters import CONTACT, STRANGER, letter

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.browser.person import Person
    from tests.sandbox_fixtures import SandboxMailbox

pytestmark = pytest.mark.django_db(transaction=True)


def account_of(person: Person, mailbox: SandboxMailbox) -> MailAccount:
    """The person's account, by password, with some mail of a contact's and a stranger's, synced."""
    sandbox = mailbox.sandbox
    account = make_account(
        person.user,
        mailbox.address,
        imap_host=sandbox.imap.host,
        imap_port=sandbox.imap.port,
        smtp_host=sandbox.smtp.host,
        smtp_port=sandbox.smtp.port,
    )
    make_credential(account, mailbox.password)
    make_contact(CONTACT)
    for number in range(6):
        mailbox.append(letter(CONTACT if number % 2 else STRANGER), ("INBOX", "Projects/Warehouse")[number % 3 == 0])
    assert sync_account(account.pk).stored == 3
    return account


def switch(person: Person, mailbox: SandboxMailbox, provider: str) -> None:
    """From the account's page to the result."""
    page = person.page
    page.get_by_role("link", name="Switch to OAuth").click()
    page.get_by_role("button", name=f"Continue to {provider}").click()
    person.sign_in_at_provider(mailbox)
    page.locator("button[name=allow]").click()


@pytest.mark.usefixtures("every_provider")
@pytest.mark.parametrize(
    ("domain", "provider", "viewport", "scripts"),
    [
        ("sandbox.test", "Microsoft", WIDE, True),
        ("google.test", "Google", NARROW, True),
        ("oidc.test", "Sandbox", WIDE, False),
    ],
    ids=["microsoft", "google-narrow", "oidc-without-scripts"],
)
def test_there_with_a_certificate_and_back_and_there_again(
    new_person: Callable[..., Person],
    new_mailbox: Callable[..., SandboxMailbox],
    domain: str,
    provider: str,
    viewport: dict[str, int],
    scripts: bool,
) -> None:
    mailbox = new_mailbox(domain=domain)
    person = new_person(viewport=viewport, java_script_enabled=scripts)
    page = person.page

    def look(name: str) -> None:
        if scripts:
            person.look(f"{provider}-{name}")

    account = account_of(person, mailbox)
    home = f"/settings/email-accounts/{account.pk}/"
    person.sign_in()
    page.goto(home)
    expect(page.get_by_text("You can stop using a password here.")).to_be_visible()
    look("banner")
    page.get_by_role("link", name="Switch to OAuth").click()
    look("what-will-happen")
    page.goto(home)
    switch(person, mailbox, provider)
    expect(page.locator('[data-result="switched"]')).to_be_visible()
    look("switched")

    page.get_by_role("link", name="continuity certificate").click()
    expect(page.locator('[data-certificate="due"]')).to_be_visible()
    look("certificate-due")
    assert sync_account(account.pk).bodies_fetched == 0
    page.get_by_role("link", name="Look again").click()
    expect(page.locator('[data-certificate="whole"]')).to_be_visible()
    page.wait_for_load_state()
    shown = {each.get_attribute("data-figure"): each.inner_text() for each in page.locator("[data-figure]").all()}
    assert shown == {"expected": "6", "present": "6", "lost": "0", "doubled": "0", "fetched_again": "0"}
    look("certificate")
    if scripts:
        page.emulate_media(media="print")
        expect(page.get_by_role("link", name="Download as JSON")).to_be_hidden()
        person.look(f"{provider}-certificate-printed", judge=False)
        page.emulate_media(media="screen")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download as JSON").click()
    assert download.value.suggested_filename == f"continuity-certificate-{account.pk}.json"

    page.goto(home)
    expect(page.get_by_text("0 lost, 0 doubled, 0 downloaded again.")).to_be_visible()
    look("after-the-switch")
    page.get_by_role("button", name="Go back to Password").click()
    expect(page.get_by_text("signs in as it did before the switch")).to_be_visible()
    look("back")
    mailbox.append(letter(CONTACT))
    assert sync_account(account.pk).bodies_fetched == 1

    switch(person, mailbox, provider)
    expect(page.locator('[data-result="switched"]')).to_be_visible()
    assert sync_account(account.pk).bodies_fetched == 0
    states = MigrationStep.objects.order_by("created_at").values_list("state", flat=True)
    assert list(states) == [MigrationState.ROLLED_BACK, MigrationState.SWITCHED]
    assert MigrationStep.objects.latest("created_at").certificate["expected"] == 7
    assert person.complaints == []


def test_a_server_out_of_order_keeps_nobody_waiting(
    new_person: Callable[..., Person], mailbox: SandboxMailbox
) -> None:
    person = new_person(viewport=NARROW)
    page = person.page
    account = account_of(person, mailbox)
    home = f"/settings/email-accounts/{account.pk}/"
    person.sign_in()
    page.goto(home)
    mailbox.sandbox.idp.faults.fail(status=500, times=50, endpoint="introspect")
    switch(person, mailbox, "Microsoft")
    expect(page.get_by_role("heading", name="Not switched yet")).to_be_visible()
    person.look("not-yet")
    page.get_by_role("link", name="Back to the account").click()
    expect(page.get_by_text("We have your permission, and are proving it.")).to_be_visible()
    person.look("waits")
    page.get_by_role("button", name="Try now").click()
    expect(page.get_by_text("We have your permission, and are proving it.")).to_be_visible()
    person.look("still-waits")
    mailbox.sandbox.idp.faults.reset()
    page.get_by_role("button", name="Try now").click()
    expect(page.get_by_text("is switched to OAuth.")).to_be_visible()
    person.look("switched-later")
    assert person.complaints == []


def test_a_way_back_that_is_refused_keeps_the_new_sign_in(
    new_person: Callable[..., Person], mailbox: SandboxMailbox
) -> None:
    person = new_person(viewport=NARROW)
    page = person.page
    account = account_of(person, mailbox)
    person.sign_in()
    page.goto(f"/settings/email-accounts/{account.pk}/")
    switch(person, mailbox, "Microsoft")
    expect(page.locator('[data-result="switched"]')).to_be_visible()
    account.credentials.filter(backend="password").update(username="nobody@sandbox.test")
    page.get_by_role("button", name="Go back to Password").click()
    expect(page.get_by_role("alert")).to_contain_text("no longer takes what")
    person.look("way-back-refused")
    page.get_by_role("link", name="Stay as it is").click()
    expect(page.get_by_text("Microsoft (OAuth)").first).to_be_visible()
    assert person.complaints == []
