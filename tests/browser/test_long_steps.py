"""What a person sees while a step takes its time."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.browser.person import Person
    from tests.sandbox_fixtures import SandboxMailbox

pytestmark = pytest.mark.django_db(transaction=True)

# Playwright looks at a page only when it has loaded, so the page notes what it shows while the answer is awaited.
NOTE = """() => document.addEventListener("submit", (event) => setTimeout(() => {
  const form = event.target;
  sessionStorage.setItem("seen", JSON.stringify({
    status: form.querySelector("[role=status]").innerText,
    busy: form.getAttribute("aria-busy"),
    disabled: form.querySelector("button").disabled,
  }));
}))"""
SEEN = """() => JSON.parse(sessionStorage.getItem("seen"))"""


def test_checking_a_mailbox_says_so_and_is_not_started_twice(
    new_person: Callable[..., Person], mailbox: SandboxMailbox
) -> None:
    """The mail server here takes its time and then hangs up."""
    anna = new_person()
    page = anna.page
    anna.sign_in()
    page.goto("/settings/email-accounts/connect/?with=password")
    with socket.create_server(("127.0.0.1", 0)) as server:
        page.get_by_text("Server settings").click()
        page.get_by_label("IMAP server").fill("localhost")
        page.get_by_label("Port").first.fill(str(server.getsockname()[1]))
        page.get_by_label("Email address").fill("me@slow.example")
        page.get_by_label("Password").fill("secret")
        page.evaluate(NOTE)
        page.get_by_role("button", name="Connect").click(no_wait_after=True)
        connection, _ = server.accept()
        connection.recv(1)
        connection.close()
    expect(page.get_by_role("alert")).to_be_visible()
    assert page.evaluate(SEEN) == {
        "status": "Checking your mailbox… This can take half a minute.",
        "busy": "true",
        "disabled": True,
    }
    expect(page.get_by_role("button", name="Connect")).to_be_enabled()


@pytest.mark.parametrize("end", ["password/change/", "password/reset/", "email/", "reauthenticate/", "logout/"])
def test_the_pages_about_ones_own_sign_in_are_in_the_skin(new_person: Callable[..., Person], end: str) -> None:
    anna = new_person(viewport={"width": 390, "height": 844})
    anna.sign_in()
    anna.page.goto(f"/accounts/{end}")
    anna.look(end.strip("/").replace("/", "-"))
    assert anna.complaints == []
