"""Connecting a mailbox with nothing but a keyboard."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.person import PASSWORD

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from mailaccounts.testing.sandbox import Sandbox
    from tests.browser.person import Person
    from tests.sandbox_fixtures import SandboxMailbox

pytestmark = pytest.mark.django_db(transaction=True)

FOCUSED = """() => {
  const at = document.activeElement;
  const label = at.labels && at.labels.length ? at.labels[0].innerText : at.innerText;
  return (label || at.getAttribute("aria-label") || "").trim();
}"""


class Keyboard:
    def __init__(self, page: Page) -> None:
        self.page = page

    def reach(self, words: str, *, within: int = 40) -> None:
        """Presses Tab until the focus is, visibly, on what is called ``words``."""
        seen = []
        for _ in range(within):
            self.page.keyboard.press("Tab")
            seen.append(self.page.evaluate(FOCUSED))
            if seen[-1].startswith(words):
                outline = self.page.evaluate("() => getComputedStyle(document.activeElement).outlineStyle")
                shadow = self.page.evaluate("() => getComputedStyle(document.activeElement).boxShadow")
                assert outline != "none" or shadow != "none", f"the focus on {words!r} can't be seen"
                return
        pytest.fail(f"Tab never reached {words!r}, only {seen}")

    def type_into(self, words: str, text: str) -> None:
        self.reach(words)
        self.page.keyboard.type(text)

    def press(self, words: str, key: str = "Enter") -> None:
        self.reach(words)
        self.page.keyboard.press(key)


def test_a_mailbox_is_connected_by_keyboard_alone(
    new_person: Callable[..., Person], mailbox: SandboxMailbox, world: Sandbox
) -> None:
    page = new_person().page
    keyboard = Keyboard(page)
    page.goto("/settings/email-accounts/")
    keyboard.type_into("Login", "anna")
    keyboard.type_into("Password", PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Email accounts", exact=True)).to_be_visible()
    keyboard.press("Skip to content")
    keyboard.press("Connect a mailbox")
    expect(page.get_by_role("heading", name="Connect a mailbox")).to_be_visible()
    keyboard.type_into("Email address", mailbox.address)
    keyboard.press("Server settings")
    keyboard.type_into("IMAP server", world.imap.host)
    keyboard.type_into("Port", str(world.imap.port))
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Continue to Microsoft")).to_be_visible()
    keyboard.reach("Email address")  # past the link to one's own password
    keyboard.press("Password")
    expect(page.get_by_label("Password")).to_be_visible()
    keyboard.reach("Email address")
    keyboard.type_into("Password", mailbox.password)
    keyboard.press("Connect")
    expect(page.get_by_text("is connected. Nothing of it is read yet.")).to_be_visible()
    keyboard.reach("The last year")
    page.keyboard.press("ArrowUp")
    expect(page.get_by_label("The last 90 days")).to_be_checked()
    keyboard.press("Start")
    expect(page.get_by_role("heading", name=mailbox.address)).to_be_visible()
    expect(page.get_by_text("Saved. Mail is brought in, the newest first.")).to_be_visible()
