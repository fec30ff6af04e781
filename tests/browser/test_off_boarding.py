"""Staff off-boards a user in the browser: deactivated, their mail handed over or erased, and a signed receipt."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from django.urls import reverse
from playwright.sync_api import expect

from mailaccounts import tasks
from mailaccounts.models import MailAccount, Message, Shown, Visibility
from mailaccounts.services.syncing.sync import sync_account
from mailaccounts.services.trail import break_glass
from tests.app.builders import make_account, make_credential, make_user
from tests.browser.person import NARROW
from tests.crm.builders import make_contact, store_message
from tests.letters import CONTACT, letter

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mailaccounts.testing.sandbox import Sandbox
    from tests.browser.person import Person
    from tests.sandbox_fixtures import SandboxMailbox

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "/admin/mailaccounts/mailaccount/"


@pytest.fixture
def boss(new_person: Callable[..., Person]) -> Person:
    boss = new_person("boss", viewport=NARROW)  # every look is at a wide screen, too
    boss.user.is_staff = boss.user.is_superuser = True
    boss.user.save()
    boss.sign_in()
    return boss


@pytest.fixture
def account(world: Sandbox, mailbox: SandboxMailbox) -> MailAccount:
    """Leaver's, who lets colleagues see everything but one of three messages."""
    account = make_account(
        make_user("leaver"),
        mailbox.address,
        imap_host=world.imap.host,
        imap_port=world.imap.port,
        visibility=Visibility.EVERYTHING,
    )
    make_credential(account, mailbox.password)
    make_contact(CONTACT, name="Maria Anders")
    for subject in ("Offer for the racks", "Week 49 it is", "Between us"):
        mailbox.append(letter(CONTACT, mailbox.address, subject=subject))
    assert sync_account(account.pk).stored == 3
    Message.objects.filter(subject="Between us").update(shown=Shown.HIDDEN)
    return account


def deactivate(boss: Person, user: Any) -> None:
    boss.page.goto(reverse("admin:auth_user_change", args=[user.pk]))
    boss.page.get_by_label("Active", exact=True).uncheck()
    boss.page.get_by_role("button", name="Save", exact=True).click()
    expect(boss.page.get_by_text("was changed successfully")).to_be_visible()


def choose(boss: Person, owner: str) -> None:
    """Leads from the list of accounts to the page that asks what becomes of this owner's."""
    page = boss.page
    page.goto(LIST)
    page.locator("#searchbar").fill(owner)
    page.get_by_role("button", name="Search").click()
    page.wait_for_url(f"**?q={owner}")
    for box in page.get_by_role("checkbox", name="Select this object").all():
        box.check()
    page.get_by_label("Action:").select_option("Off-board…")
    page.locator("button[name=index]").click()
    expect(page.get_by_role("heading", name="Off-board", exact=True)).to_be_visible()


def download(boss: Person, directory: Path) -> dict[str, Any]:
    with boss.page.expect_download() as downloading:
        boss.page.get_by_role("link", name="Download as JSON").click()
    file = directory / downloading.value.suggested_filename
    downloading.value.save_as(file)
    told: dict[str, Any] = json.loads(file.read_text())
    return told


def verify(signed: dict[str, str]) -> dict[str, Any]:
    """What was signed; raises for a signature that isn't by this key, as anybody can find out."""
    key: Any = load_pem_public_key(signed["public_key"].encode())
    key.verify(base64.b64decode(signed["signature"]), signed["text"].encode())
    said: dict[str, Any] = json.loads(signed["text"])
    return said


def test_the_mail_of_somebody_who_left_goes_to_a_colleague(
    boss: Person,
    account: MailAccount,
    mailbox: SandboxMailbox,
    new_person: Callable[..., Person],
    request: pytest.FixtureRequest,
    tmp_path: Path,
) -> None:
    page, heir = boss.page, new_person("heir", viewport=boss.page.viewport_size)
    deactivate(boss, account.owner)
    sessions = len(mailbox.rawlogs())
    choose(boss, "leaver")
    expect(page.get_by_text("2 messages go to them. 1 that only its owner could see is erased.")).to_be_visible()
    boss.look("off-board")
    page.get_by_label("Hand it over to a colleague").check()
    page.get_by_label("User name of the colleague").fill("hair")
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_text("There is no active user of this name.")).to_be_visible()
    boss.look("off-board-to-nobody")
    page.get_by_label("User name of the colleague").fill("heir")
    page.get_by_role("button", name="Continue").click()

    will = page.get_by_role("region", name="What will happen")
    expect(will).to_contain_text("2 messages go to heir, who can read them.")
    expect(will).to_contain_text("1 private message is erased.")
    boss.look("off-board-confirm")
    page.get_by_role("button", name="Hand over to heir").click()  # the browser asks for the tick
    assert Message.objects.count() == 3
    page.get_by_label("I know that what is erased can't be brought back").check()
    page.get_by_role("button", name="Hand over to heir").click()
    expect(page.get_by_text("The mail of 1 account is being handed over to heir.")).to_be_visible()
    boss.look("off-board-under-way")

    request.getfixturevalue("worker")
    boss.refresh_until(page.locator('[data-mail="handed over"]'), link="See how far it is")
    expect(page.locator("[data-fact=mail]")).to_contain_text("2 messages handed over to heir by boss")
    expect(page.locator("[data-fact=mail]")).to_contain_text("1 erased")
    expect(page.locator("[data-signature]")).to_have_attribute("data-signature", "valid")
    boss.look("off-board-receipt")
    told = download(boss, tmp_path)
    assert (told["mail"]["outcome"], told["mail"]["handed_over_to"], told["mail"]["erased"]) == (
        "handed_over",
        "heir",
        1,
    )
    first, last = map(verify, told["signed"])
    assert (first["address"], last["facts"]["handed_over"]) == (mailbox.address, 2)

    mailbox.append(letter(CONTACT, mailbox.address, subject="Are you still there?"))
    tasks.tick()
    account.refresh_from_db()
    assert (account.owner, account.next_sync_at, account.credentials.count()) == (heir.user, None, 0)
    assert set(Message.objects.values_list("subject", flat=True)) == {"Offer for the racks", "Week 49 it is"}
    assert len(mailbox.rawlogs()) == sessions

    break_glass.open_mail(account, viewer=boss.user, reason="A customer disputes the invoice", minutes=15)
    heir.sign_in()
    expect(heir.page.get_by_text("boss may look at the mail of")).to_be_visible()
    heir.open_settings()
    heir.look("handed-over-to-you")
    heir.page.get_by_role("link", name=mailbox.address).click()
    expect(heir.page.get_by_role("cell", name="A customer disputes the invoice")).to_be_visible()
    heir.look("ledger-of-what-was-handed-over")
    assert boss.complaints == heir.complaints == []


def test_the_mail_of_those_who_left_is_erased_and_of_nobody_else(
    boss: Person, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    page, leaver = boss.page, make_user("leaver")
    gone = [make_credential(make_account(leaver, f"{name}@here.test")).account for name in ("leaver", "sales")]
    stays = make_credential(make_account(make_user("leaver-not"), "stays@here.test")).account
    for account in (*gone, stays):
        store_message(account, sender=CONTACT, to=account.address)
    deactivate(boss, leaver)
    page.goto(f"{LIST}{gone[0].pk}/change/")
    expect(page.get_by_text("leaver is deactivated.")).to_be_visible()
    boss.look("account-of-somebody-who-left")
    page.get_by_role("link", name="Off-board…").click()
    expect(page.locator("tr[data-account]")).to_have_count(1)
    choose(boss, "leaver")
    expect(page.locator(f'[data-account="{stays.pk}"]')).to_contain_text("Left alone: Its owner isn't deactivated.")
    page.get_by_label("Erase all of it").check()
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_text("2 messages of 2 accounts are erased")).to_be_visible()
    boss.look("erase-confirm")
    page.get_by_label("I know that what is erased can't be brought back").check()
    page.get_by_role("button", name="Erase the mail").click()
    expect(page.get_by_text("The mail of 2 accounts is being erased.")).to_be_visible()
    boss.look("erase-under-way")
    request.getfixturevalue("worker")
    boss.refresh_until(page.locator('[data-mail="erased"]').nth(1), link="See how far it is")
    expect(page.get_by_text("1 message erased by")).to_have_count(2)
    expect(page.locator('[data-signature="valid"]')).to_have_count(4)  # with those of the day they were deactivated
    boss.look("erase-receipts")
    assert MailAccount.objects.get() == stays
    assert Message.objects.get().account == stays
    assert boss.complaints == []
