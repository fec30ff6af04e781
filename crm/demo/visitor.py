"""What the person in the story does, page by page, and what is looked up beside that."""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from crm.demo.browser import Browser
from crm.demo.evidence import Report
from crm.demo.world import python

if TYPE_CHECKING:
    from collections.abc import Callable

    from crm.demo.browser import Page
    from crm.demo.people import User
    from crm.demo.start import Running

SECONDS = 30.0
PATIENCE = 5.0  # seconds until a person presses a button again
ACCOUNTS = "/settings/email-accounts/"


class StoryFailed(Exception):
    """Something is not as it should be; the text says what."""


@dataclass(slots=True)
class Visitor:
    """The demo's first user at a browser. ``account`` is the page of the mailbox they connect, and ``beginning`` where
    it asks how far back."""

    running: Running
    browser: Browser = field(init=False)
    user: User = field(init=False)
    account: str = field(default="", init=False)
    beginning: str = field(default="", init=False)

    def __post_init__(self) -> None:
        self.browser = Browser(self.running.address, ca_file=self.running.mail.ca_file)
        self.user = self.running.cast.users[0]

    def type_in(self, *, password: str) -> Page:
        """From the address alone to the ways there are; of these, by password."""
        page = self.browser.get(f"{ACCOUNTS}connect/")
        page = self.browser.submit(page, page.form("address"), address=self.user.person.address)
        page = self.browser.submit(page, page.form("address"), button="Password")
        return self.browser.submit(page, page.form("address", "password"), password=password)

    def is_counted(self) -> bool:
        state = self.browser.get(self.beginning).value("data-preview")
        if state not in {"busy", "complete"}:
            raise StoryFailed(f"the preview ended: {state}")
        return state == "complete"

    def leave_for_the_provider(self) -> Page:
        """From the account's page by Switch to OAuth to the provider's sign-in page."""
        page = self.browser.get(self.browser.get(self.account).link("Switch to OAuth"))
        reasons = [element.text for element in page.elements if element.tag == "dd"]
        if not reasons or not all(reasons):
            raise StoryFailed("the page doesn't give a reason for each permission")
        page = self.browser.submit(page, page.form("offer"), button="Continue to Microsoft")
        if page.url.startswith(self.running.address):
            raise StoryFailed(f"the way to the provider ended at: {page.heading}")
        return page

    def sync_now(self, done: Callable[[], bool]) -> Page:
        """Presses the button, again after a while if nothing came of it; the account's page once ``done``."""
        pressed = float("-inf")

        def press_until_done() -> bool:
            nonlocal pressed
            if not done() and time.monotonic() - pressed > PATIENCE:
                page = self.browser.get(self.account)
                form = next(form for form in page.forms if "Sync now" in form.buttons)
                self.browser.submit(page, form, button="Sync now")
                pressed = time.monotonic()
            return done()

        return self.wait_for_sync(press_until_done)

    def wait_for_sync(self, done: Callable[[], bool]) -> Page:
        """The account's page, once it says that it is up to date and ``done``."""

        def up_to_date() -> bool:
            page = self.browser.get(self.account)
            status = page.value("data-status")
            if status not in {"new", "ok"}:
                raise StoryFailed(f"the account is {status}: {page.value('data-code')}")
            return done() and status == "ok" and page.value("data-busy-sync") == "no"

        self.running.supervisor.wait_for(up_to_date, what="The sync", seconds=SECONDS)
        return self.browser.get(self.account)

    def stored(self) -> list[str]:
        """The Message-IDs in the inbox, of everything: each conversation is opened that has more than one message."""
        ids: list[str] = []
        path = "/inbox/?folder=all"
        while path:
            page = self.browser.get(path)
            for row in page.having("data-length"):
                if row.attributes["data-length"] == "1":
                    ids.append(row.attributes["data-message-id"])
                else:
                    ids += self.ids(f"/mail/{row.attributes['data-thread']}/?as-it-is", further="Earlier messages")
            path = page.link("Older") if any(each.text == "Older" for each in page.elements) else ""
        return ids

    def ids(self, path: str, *, further: str = "Next") -> list[str]:
        """The Message-IDs on a page and those that follow it."""
        ids: list[str] = []
        while path:
            page = self.browser.get(path)
            ids += [element.attributes["data-message-id"] for element in page.having("data-message-id")]
            path = page.link(further) if any(each.text == further for each in page.elements) else ""
        return ids

    def accounts(self) -> list[str]:
        """The addresses of the mailboxes on their list."""
        page = self.browser.get(ACCOUNTS)
        return [element.text for element in page.elements if element.attributes.get("class") == "account-address"]

    def contact_page(self, name: str) -> str:
        return self.browser.get("/contacts/").link(name)

    def reports(self) -> list[Report]:
        return Report.read_all(self.running.world.logs / "worker.log")

    def manage(self, command: str, *arguments: str) -> list[dict[str, Any]]:
        """Runs a management command; the JSON lines it prints."""
        output = self.running.world.logs / f"{command}.jsonl"
        child = self.running.supervisor.start(
            command, python("manage.py", command, *arguments), self.running.environment, once=True, output=output
        )
        self.running.supervisor.finish(child, seconds=SECONDS)
        return [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()]


def contacts_on(page: Page) -> list[str]:
    """The links to contacts on a page."""
    paths = (element.attributes.get("href", "") for element in page.elements)
    return [path for path in paths if re.fullmatch(r"/contacts/\d+/", path)]
