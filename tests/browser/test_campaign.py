"""A campaign in the browser: who can move, a pilot group, invitations by mail, the board, the rest, and back."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from django.contrib.auth.models import Permission
from playwright.sync_api import expect

from mailaccounts.models import MigrationStep
from tests.app.builders import make_account
from tests.browser.person import WIDE
from tests.crm_process import Cluster, environment, wait_until
from tests.sandbox_crm import connect_by_password

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pytest_django.fixtures import SettingsWrapper
    from pytest_django.live_server_helper import LiveServer

    from mailaccounts.models import MailAccount
    from mailaccounts.testing.sandbox import Sandbox
    from tests.browser.person import Person
    from tests.sandbox_fixtures import SandboxMailbox

pytestmark = pytest.mark.django_db(transaction=True)

CAMPAIGNS = "/settings/email-accounts/campaigns/"
WAITING = 15_000  # milliseconds until a board looks again while it is others' turn


@pytest.fixture
def letters(live_server: LiveServer, world: Sandbox, settings: SettingsWrapper, tmp_path: Path) -> Iterator[Path]:
    """A worker in the same world, and the directory that its mail goes to."""
    directory = tmp_path / "letters"
    directory.mkdir()
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "SITE_URL": live_server.url}
    mail = {"EMAIL_URL": f"filemail:///{directory}", "SITE_URL": live_server.url}
    with Cluster(tmp_path / "worker.log", env=environment(**world.environment(), **mail)):
        yield directory


def link_for(person: Person, letters: Path) -> str:
    """The link in the mail that ``person`` gets."""

    def found() -> str:
        for path in letters.iterdir():
            for text in path.read_text().split("-" * 79):
                if f"To: {person.user.email}" in text and (link := re.search(r"http\S+", text)):
                    return link[0]
        return ""

    wait_until(found, what=f"a letter for {person.user.email}")
    return found()


def connected(person: Person, mailbox: SandboxMailbox) -> MailAccount:
    person.user.email = f"{person.user.username}@people.test"
    person.user.save()
    return connect_by_password(mailbox, person.user)


def test_a_campaign_with_a_pilot_group(
    new_person: Callable[..., Person],
    new_mailbox: Callable[[], SandboxMailbox],
    letters: Path,
) -> None:
    boss, anna, ben = (new_person(name, viewport=WIDE) for name in ("boss", "anna", "ben"))
    boss.user.is_staff = True
    boss.user.save()
    boss.user.user_permissions.add(Permission.objects.get(codename="change_migrationrun"))
    mailboxes = [new_mailbox(), new_mailbox()]
    accounts = [connected(person, mailbox) for person, mailbox in zip((anna, ben), mailboxes, strict=True)]
    make_account(ben.user, "old@sandbox.test", status="disconnected")

    # Who can move is shown before anything is created.
    boss.sign_in()
    page = boss.page
    page.clock.install()
    page.goto(CAMPAIGNS)
    boss.look("none-yet")
    page.get_by_role("link", name="New campaign").first.click()
    page.get_by_label("Name").fill("Spring")
    page.get_by_label("Domain").fill("sandbox.test")
    page.get_by_role("button", name="See who can move").click()
    expect(page.locator("[data-count=owner]")).to_have_text("2")
    expect(page.locator("[data-count=cannot]")).to_have_text("1")
    expect(page.get_by_text("old@sandbox.test is disconnected.")).to_be_visible()
    boss.look("readiness")
    page.get_by_label(f"{accounts[0].address} goes first").check()
    page.get_by_role("button", name="Create the campaign").click()

    # The pilot group goes first; the board moves by itself.
    expect(page.get_by_role("heading", name="Spring")).to_be_visible()
    assert not list(letters.iterdir())
    page.get_by_role("button", name="Start the pilot group (1)").click()
    expect(row(boss, accounts[0])).to_have_attribute("data-state", "invited")
    expect(row(boss, accounts[1])).to_have_attribute("data-state", "chosen")
    boss.look("pilot-invited")

    # Anna forwards her link to Ben, who learns nothing of it.
    link = link_for(anna, letters)
    ben.sign_in()
    assert ben.page.goto(link).status == 404
    expect(ben.page.get_by_text("This invitation isn't for the user who is signed in here.")).to_be_visible()
    expect(ben.page.get_by_text(accounts[0].address)).to_have_count(0)
    ben.look("forwarded")
    ben.complaints.clear()  # the browser notes the 404

    # She follows it herself, and her account moves while the board looks on.
    anna.page.goto(link)
    anna.page.get_by_label("Login").fill("anna")
    anna.page.get_by_label("Password").fill("correct horse battery")
    anna.page.get_by_role("button", name="Sign in", exact=True).click()
    expect(anna.page).to_have_url(re.compile(r"/switch/$"))
    leave_and_consent(anna, mailboxes[0])
    page.clock.fast_forward(WAITING)
    expect(row(boss, accounts[0])).to_have_attribute("data-state", "switched")
    boss.look("pilot-moved")
    assert anna.page.goto(link).status == 410
    expect(anna.page.get_by_text("this invitation has done its work")).to_be_visible()
    anna.look("used")
    anna.complaints.clear()

    # Then the rest.
    page.get_by_role("button", name="Start the rest (1)").click()
    expect(row(boss, accounts[1])).to_have_attribute("data-state", "invited")
    ben.page.goto(link_for(ben, letters))
    leave_and_consent(ben, mailboxes[1])
    page.clock.fast_forward(WAITING)
    expect(page.locator("#campaign-board .card-header .badge")).to_have_text("Finished")
    boss.look("finished")
    assert set(MigrationStep.objects.values_list("state", flat=True)) == {"switched"}

    # And the pilot group back.
    page.get_by_text("Roll back", exact=True).click()
    page.get_by_role("button", name="Roll back the pilot group").click()
    expect(row(boss, accounts[0])).to_have_attribute("data-state", "rolled_back")
    boss.look("rolled-back")
    assert [*boss.complaints, *anna.complaints, *ben.complaints] == []


def row(boss: Person, account: MailAccount) -> object:
    return boss.page.locator("#campaign-board li").filter(has_text=account.address)


def leave_and_consent(person: Person, mailbox: SandboxMailbox) -> None:
    person.page.get_by_role("button", name="Continue to Microsoft").click()
    person.sign_in_at_provider(mailbox)
    person.page.locator("button[name=allow]").click()
    expect(person.page).to_have_url(re.compile("^" + re.escape(person._home)))


def test_the_board_works_without_scripts(
    new_person: Callable[..., Person], mailbox: SandboxMailbox, letters: Path
) -> None:
    boss, anna = new_person("boss", java_script_enabled=False), new_person("anna")
    boss.user.is_staff = boss.user.is_superuser = True
    boss.user.save()
    account = connected(anna, mailbox)
    boss.sign_in()
    page = boss.page
    page.goto(f"{CAMPAIGNS}new/")
    page.get_by_label("Or these addresses").fill(account.address)
    page.get_by_role("button", name="See who can move").click()
    page.get_by_role("button", name="Create the campaign").click()
    page.get_by_role("button", name="Start (1)").click()
    boss.refresh_until(row(boss, account).filter(has_text="Owner invited"), link="Refresh")
    page.get_by_text("Cancel the campaign", exact=True).first.click()
    page.get_by_role("button", name="Cancel the campaign").click()
    expect(page.get_by_text("1 account won't move; nothing changes for them.")).to_be_visible()
    assert MigrationStep.objects.get().state == "cancelled"
