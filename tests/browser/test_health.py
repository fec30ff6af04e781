"""How mailboxes are doing, and the test of a connection, in the browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from tests.app.builders import make_account, make_credential, make_message

if TYPE_CHECKING:
    from collections.abc import Callable

    from mailaccounts.mail.types import Endpoint
    from tests.browser.person import Person
    from tests.sandbox_fixtures import SandboxMailbox

pytestmark = pytest.mark.django_db(transaction=True)


def columns(*endpoints: Endpoint) -> dict[str, object]:
    named = {each.protocol: each for each in endpoints}
    return {
        f"{kind}_{part}": getattr(each, part) for kind, each in named.items() for part in ("host", "port", "security")
    }


@pytest.mark.parametrize("options", [{"width": 390}, {"width": 1280, "scripts": False}])
def test_health_at_a_glance_and_a_test_of_the_connection(
    new_person: Callable[..., Person], mailbox: SandboxMailbox, options: dict[str, int]
) -> None:
    anna = new_person(
        viewport={"width": options["width"], "height": 860}, java_script_enabled=options.get("scripts", True)
    )
    servers = columns(mailbox.sandbox.imap, mailbox.sandbox.smtp)
    account = make_account(anna.user, mailbox.address, last_sync_at=timezone.now(), status="ok", **servers)
    make_credential(account, secret=mailbox.password)
    make_message(account)
    tired = make_account(
        anna.user,
        imap_host="outlook.office365.com",
        status="needs_owner",
        status_code="password_rejected",
        status_message="The server did not accept the user name or password. Check both.",
    )
    make_credential(tired)
    judge = options.get("scripts", True)  # axe is a script
    anna.sign_in()
    anna.open_settings()
    expect(anna.page.get_by_text("Microsoft 365 end")).to_be_visible()
    anna.look("glance", judge=judge)
    anna.page.get_by_role("link", name=mailbox.address).click()
    anna.page.get_by_role("link", name="Test the connection").click()
    anna.look("probe-before", judge=judge)
    anna.page.get_by_role("button", name="Start the test").click()
    expect(anna.page.get_by_text("Everything works.")).to_be_visible()
    anna.look("probe", judge=judge)
    mailbox.sandbox.add_user(type(mailbox.user)(address=mailbox.address, password="another-one"))
    anna.page.get_by_role("button", name="Test again").click()
    expect(anna.page.locator('[data-code="password_rejected"]')).to_be_visible()
    anna.look("probe-failed", judge=judge)
    assert anna.complaints == []
