"""Reading in the browser: a conversation as people see it, and mail of ill will that gets nowhere."""

from __future__ import annotations

import re
import struct
import zlib
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.template.loader import render_to_string
from django.utils import timezone
from playwright.sync_api import expect

from mailaccounts.mail.pictures import show_pictures
from mailaccounts.mail.quotes import fold_html
from mailaccounts.mail.sanitize import clean_html
from mailaccounts.models import Attachment, Participant, Role, Thread
from tests.app.builders import make_account, make_credential
from tests.app.test_detect import placed_in
from tests.app.test_pages_thread import INVITATION
from tests.browser.vectors import OUT, vectors
from tests.crm.builders import make_contact, store_message
from tests.domains import Page

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from playwright.sync_api import Browser, BrowserContext, Route

    from mailaccounts.models import MailAccount, Message
    from tests.browser.person import Person
    from tests.domains import WebServer

WIDTH = 120
PNG = b"\x89PNG\r\n\x1a\n" + b"".join(
    struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    for kind, data in (
        (b"IHDR", struct.pack(">IIBBBBB", WIDTH, 30, 8, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress((b"\0" + bytes(WIDTH)) * 30)),
        (b"IEND", b""),
    )
)
SITE = "https://site.test"
AT_ONCE = 6  # vectors in a message


class Trap:
    """A browser in which documents of mail lie side by side, free to do what they can. ``ran`` are the addresses of
    those in which a script ran, ``reached`` what was asked for elsewhere."""

    def __init__(self, context: BrowserContext) -> None:
        self.ran: list[str] = []
        self.reached: list[str] = []
        self._documents: Sequence[str] = ()
        context.expose_binding("ranHere", lambda source: self.ran.append(source["frame"].url))
        context.add_init_script("window.alert = () => window.ranHere()")
        context.route("**/*", self._answer)
        self._page = context.new_page()

    def spring(self, *documents: str) -> None:
        """Shows ``documents``, and clicks on whatever there is in them to click on."""
        self._documents = documents
        self._page.goto(SITE)
        for frame in self._page.frames[1:]:
            frame.evaluate(
                """for (const each of document.querySelectorAll("a, button, summary, [tabindex]")) {
                     each.focus(); if (!each.href || /^(http|mailto)/.test(each.protocol) === false) each.click(); }"""
            )
        self._page.wait_for_load_state("networkidle")

    def _answer(self, route: Route) -> None:
        address = route.request.url
        number = address.removeprefix(f"{SITE}/")
        if address == f"{SITE}/":
            frames = (f'<iframe src="/{number}"></iframe>' for number in range(len(self._documents)))
            route.fulfill(content_type="text/html", body="".join(frames))
        elif number.isdecimal():
            route.fulfill(content_type="text/html; charset=utf-8", body=self._documents[int(number)])
        else:
            self.reached.append(address)
            route.fulfill(status=404)


@pytest.fixture
def trap(browser: Browser) -> Iterator[Trap]:
    context = browser.new_context()
    yield Trap(context)
    context.close()


def document(html: str) -> str:
    return render_to_string("mailaccounts/body.html", {"message": {"subject": ""}, "html": html})


def test_the_trap_catches_what_is_not_cleaned(trap: Trap) -> None:
    trap.spring(document("<img src=x onerror=alert(1)>"), document(f"<img src=https://{OUT}/pixel.gif>"))
    assert trap.ran == [f"{SITE}/0"]
    assert f"https://{OUT}/pixel.gif" in trap.reached


def test_of_cleaned_mail_no_script_runs_and_no_request_leaves(trap: Trap) -> None:
    raw = vectors()
    assert len(raw) > 140
    trap.spring(*(document(fold_html(show_pictures(clean_html(each), [""] * 10))) for each in raw))
    assert [raw[int(each.rpartition("/")[2])] for each in trap.ran] == []
    assert trap.reached == []


@pytest.mark.django_db(transaction=True)
def test_mail_that_slipped_through_the_cleaning_gets_out_of_no_frame(new_person: Callable[..., Person]) -> None:
    anna = new_person()
    account = make_account(anna.user)
    thread, raw = Thread.objects.create(account=account), vectors()
    for at in range(0, len(raw), AT_ONCE):
        letter(account, thread, minutes=at, body_html="\n".join(raw[at : at + AT_ONCE]).replace("\0", ""))
    anna.sign_in()
    home = anna.page.evaluate("location.origin")
    left: list[str] = []

    def watch(route: Route) -> None:
        if route.request.url.startswith(home):
            route.continue_()
        else:
            left.append(route.request.url)
            route.abort()

    dialogs: list[str] = []
    anna.page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    anna.page.context.route("**/*", watch)
    anna.page.goto(f"/mail/{thread.pk}/")
    anna.page.evaluate(
        """document.querySelectorAll(".letter-fold").forEach(each => each.open = true);
           document.querySelectorAll("iframe").forEach(each => each.loading = "eager")"""
    )
    anna.page.wait_for_load_state("networkidle")
    assert anna.page.locator("iframe").count() == (len(raw) + AT_ONCE - 1) // AT_ONCE
    assert (left, dialogs) == ([], [])
    told = "\n".join(anna.complaints)
    assert "sandboxed" in told and "Content Security Policy" in told  # so it was tried


@pytest.mark.django_db(transaction=True)
def test_somebody_reads_a_conversation(
    new_person: Callable[..., Person], web_server: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna = new_person()
    web_server.pages["corp.test", "/logo.png"] = Page(body=PNG)
    placed_in(web_server.network(), monkeypatch)
    account = make_credential(make_account(anna.user, "anna@us.test", status="ok")).account
    make_contact("maria@customer.test")
    thread = Thread.objects.create(account=account, subject="An offer")
    quoted = "\n".join(f"> This is line {number} of what you wrote." for number in range(12))
    letter(account, thread, minutes=30, body_text="Could you send us an offer, please?\n\nMaria")
    letter(account, thread, minutes=20, body_text="See the calendar.", calendar=INVITATION)
    letter(account, thread, minutes=10, body_text=f"Thank you, we take it.\n\nOn Monday you wrote:\n{quoted}\n\nMaria")
    html = clean_html(
        "<p>Dear Anna,</p><p>we take it.</p><img src='https://corp.test/logo.png' alt='Our logo'>"
        f"<blockquote>{'What you wrote. ' * 40}</blockquote>"
    )
    newest = letter(account, thread, body_text="Dear Anna,\n\nwe take it.", body_html=html)
    for position, name in enumerate(("Angebot für Köln.pdf", "a-file-with-a-name-that-never-ends-" * 5 + ".txt")):
        Attachment.objects.create(
            message=newest, position=position, name=name, content_type="application/pdf", size=48_000
        )
    anna.sign_in()
    anna.page.goto(f"/mail/{thread.pk}/")
    frame = anna.page.frame_locator("iframe[name^=body]").last
    expect(frame.get_by_text("we take it.")).to_be_visible()
    expect(frame.get_by_text("What you wrote.")).to_be_hidden()
    frame.get_by_text("Quoted text").click()
    expect(frame.get_by_text("What you wrote.")).to_be_visible()
    folded = anna.page.locator(".letter-text", has_text="Could you send us an offer")
    expect(folded).to_be_hidden()
    anna.page.locator(".letter-head").first.focus()
    anna.page.keyboard.press("Enter")
    expect(folded).to_be_visible()
    for each in anna.page.locator(".letter-head").all()[1:3]:
        each.click()
    expect(anna.page.get_by_label("Invitation").get_by_text("Room 4")).to_be_visible()
    expect(anna.page.get_by_role("link", name="Angebot für Köln.pdf")).to_be_visible()
    anna.look("conversation")
    assert anna.complaints == []
    anna.page.get_by_role("link", name="Show pictures").click()
    expect(frame.locator("img")).to_have_attribute("src", re.compile("/mail/image/"))
    frame.locator("img").scroll_into_view_if_needed()
    anna.page.wait_for_load_state("networkidle")
    assert frame.locator("img").evaluate("each => [each.complete, each.naturalWidth]") == [True, WIDTH]
    assert [headers.keys() & {"Cookie", "Referer", "User-Agent"} for _, _, headers in web_server.asked] == [set()]
    assert anna.complaints == []


def letter(account: MailAccount, thread: Thread, *, minutes: int = 0, **columns: Any) -> Message:
    when = timezone.now() - timedelta(minutes=minutes)
    message = store_message(
        account, sender="maria@customer.test", to=account.address, thread=thread, when=when, announce=False, **columns
    )
    Participant.objects.filter(message=message, role=Role.FROM).update(name="Maria Anders")
    return message
