"""Somebody at a browser. Each step waits for what a person would wait for, and every page is judged by axe."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import expect

if TYPE_CHECKING:
    from playwright.sync_api import ConsoleMessage, Locator, Page, ViewportSize

    from tests.sandbox_fixtures import SandboxMailbox

WIDE: ViewportSize = {"width": 1280, "height": 860}
NARROW: ViewportSize = {"width": 390, "height": 844}
PASSWORD = "correct horse battery"
PATIENCE = 60_000  # milliseconds a page or a worker may take on a busy machine
STATE = "#account-state"
# Only what axe has against the page comes back: the whole of its report is hundreds of kilobytes.
JUDGEMENT = """async () => (await axe.run({resultTypes: ["violations"]})).violations.map(
  ({help, nodes}) => [help, ...nodes.map(({html, failureSummary}) => `${html}: ${failureSummary}`)].join("\\n"))"""


class Person:
    def __init__(self, user: Any, page: Page, *, home: str) -> None:
        self.user, self.page = user, page
        self._home = home
        self.complaints: list[str] = []
        self._taken = 0
        page.on("console", lambda message: self._hear(message))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def look(self, name: str, *, judge: bool = True) -> None:
        """Judges the page by axe and by its width, on a wide screen and on a narrow one, whichever of them the person
        has; takes pictures where SCREENSHOTS names a directory for them."""
        self._taken += 1
        self.page.wait_for_load_state()
        if judge:
            self.page.evaluate(AXE_SCRIPT)
        own = self.page.viewport_size
        for screen in (WIDE, NARROW):
            self.page.set_viewport_size(screen)
            width, told = screen["width"], f"{name}, {screen['width']} pixels wide"
            if directory := os.environ.get("SCREENSHOTS"):
                self.page.screenshot(path=Path(directory) / f"{width}-{self._taken:02}-{name}.png", full_page=True)
            if judge:
                found = self.page.evaluate(JUDGEMENT)
                assert not found, "\n".join([told, *found])
            assert self.page.evaluate("document.documentElement.scrollWidth") <= width, f"{told}: wider"
        self.page.set_viewport_size(own or WIDE)

    def sign_in(self) -> None:
        self.page.goto("/")
        self.page.get_by_label("Login").fill(self.user.username)
        self.page.get_by_label("Password").fill(PASSWORD)
        self.page.get_by_role("button", name="Sign in", exact=True).click()
        expect(self.page.get_by_role("heading", name="Contacts")).to_be_visible()

    def open_settings(self) -> None:
        self.page.get_by_role("link", name="Settings").click()
        expect(self.page.get_by_role("heading", name="Email accounts", exact=True)).to_be_visible()

    def enter_address(self, address: str) -> None:
        """The first step of connecting a mailbox."""
        self.page.get_by_label("Email address").fill(address)
        self.page.get_by_role("button", name="Continue", exact=True).click()

    def fill_in_connect_form(self, mailbox: SandboxMailbox) -> None:
        """Both steps, by password: all but the last click."""
        self.enter_address(mailbox.address)
        self.page.get_by_role("button", name="Password", exact=True).click()
        self.page.get_by_label("Password").fill(mailbox.password)

    def begin(self, depth: str = "All the mail there is") -> None:
        """Answers the question that a mailbox waits with once it is connected."""
        expect(self.page.get_by_role("heading", name="How far back?")).to_be_visible()
        self.page.get_by_label(depth).check()
        self.page.get_by_role("button", name="Start", exact=True).click()

    @property
    def synced(self) -> Locator:
        """On an account's page only when no sync is under way and the last one went well."""
        return self.page.locator(f'{STATE}[data-status="ok"][data-busy-sync="no"]')

    def wait_for_sync(self, *, examined: int) -> None:
        """Waits for the page to show by itself that the worker is done."""
        expect(self.synced).to_be_visible(timeout=PATIENCE)
        expect(self.figure("Messages examined")).to_have_text(str(examined))

    def refresh_until(self, there: Locator, *, link: str) -> None:
        """Follows the link that shows the same page anew, as somebody without JavaScript has to, until it is there."""
        self.page.wait_for_load_state()
        patience = time.monotonic() + PATIENCE / 1000
        while not there.is_visible() and time.monotonic() < patience:
            with self.page.expect_navigation():
                self.page.get_by_role("link", name=link, exact=True).click()
        expect(there).to_be_visible()

    def figure(self, name: str) -> Any:
        return self.page.locator(f"{STATE} .figures div").filter(has_text=name).locator("dd")

    def subjects_on_timeline(self, contact: str) -> list[str]:
        self.page.get_by_role("link", name="Contacts").first.click()
        self.page.get_by_role("link", name=contact, exact=True).click()
        expect(self.page.get_by_role("heading", name="Timeline")).to_be_visible()
        self.page.wait_for_load_state()  # or there might be more to come
        return self.page.locator(".mail-subject").all_inner_texts()

    def sign_in_at_provider(self, mailbox: SandboxMailbox) -> None:
        """Through the provider's own pages: who, and whether to allow it."""
        expect(self.page).to_have_url(re.compile("^" + re.escape(mailbox.sandbox.idp.authority)))
        self.page.locator("input[name=username]").fill(mailbox.address)
        self.page.locator("input[name=password]").fill(mailbox.password)
        self.page.locator("form button.main, form button[type=submit]").first.click()
        expect(self.page.locator("button[name=allow]")).to_be_visible()

    def _hear(self, message: ConsoleMessage) -> None:
        """Notes what the browser has against our own pages: a blocked script, a missing file."""
        where = message.location["url"]
        if where.endswith("/favicon.ico"):  # asked for where a page names no icon: Django's admin, the provider
            return
        if message.type in {"error", "warning"} and where.startswith(self._home):
            self.complaints.append(f"{where}: {message.text}")
