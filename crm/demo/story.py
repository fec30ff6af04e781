"""The whole road as a person walks it, through HTTP: connect by password, sync, switch to OAuth, go on receiving mail.

Nothing is taken on trust. After each sync the pages are compared, by Message-ID, with what lies on the mail server and
with what the generator knows about it.
"""

from __future__ import annotations

import json
import sys
import time
import traceback
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from crm.demo.browser import PageError
from crm.demo.evidence import Comparison, Truth
from crm.demo.guide import letter
from crm.demo.table import Table
from crm.demo.visitor import SECONDS, StoryFailed, Visitor, contacts_on
from crm.demo.world import DemoError

if TYPE_CHECKING:
    from collections.abc import Callable

    from crm.demo.start import Running
    from crm.demo.table import Step

FIGURES = ("examined", "stored", "bodies_fetched", "downloaded_again", "lost", "doubled")
FAULTS = ("lost", "doubled", "fetched_again")  # of a continuity certificate
STUMBLES = (StoryFailed, PageError, DemoError)  # their text says it all


@dataclass(slots=True)
class Story(Visitor):
    """Its ``chapters`` are played in order; each raises StoryFailed when something isn't as it should be."""

    truth: Truth = field(init=False)
    counted: int = field(default=0, init=False)  # messages that a preview says would be stored
    before_switch: int = field(default=0, init=False)  # syncs reported until then
    figures: dict[str, int] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        Visitor.__post_init__(self)  # a dataclass with slots has no super()
        self.truth = Truth.of(self.running.world.mailbox_file(self.user.username))

    @property
    def chapters(self) -> dict[str, Callable[[Step], None]]:
        return {
            "Sign in to the CRM": self.sign_in,
            "Try a wrong password": self.try_a_wrong_password,
            "Connect the mailbox by password": self.connect,
            "Ask what would be stored": self.preview,
            "First sync by the worker": self.see_the_first_sync,
            "Compare server and store": self.compare,
            "Look at the timelines": self.look_at_timelines,
            "Turn back at the provider": self.turn_back,
            "Switch to OAuth": self.switch,
            "Sync again": self.sync_without_news,
            "Read the certificate": self.read_the_certificate,
            "New mail arrives": self.receive_mail,
            "Sync the new mail": self.sync_with_news,
            "Compare once more": self.compare,
            "Ask the commands": self.ask_the_commands,
        }

    def sign_in(self, step: Step) -> None:
        page = self.browser.get("/")
        page = self.browser.submit(
            page, page.form("login", "password"), login=self.user.username, password=self.user.password
        )
        step.result = f"as {self.user.username}, who sees {len(contacts_on(page))} contacts"

    def try_a_wrong_password(self, step: Step) -> None:
        page = self.type_in(password="not-the-password")  # noqa: S106 - that's the point
        code = page.value("data-code")
        expect("a wrong password is refused as such", code, "password_rejected")
        expect("nothing was stored", len(self.accounts()), 0)
        step.result = f"refused ({code}), nothing stored"

    def connect(self, step: Step) -> None:
        self.beginning = self.type_in(password=self.user.person.password).url
        self.browser.get(self.beginning).form("depth")  # nothing is read before this is answered
        step.result = f"{self.user.person.address}, servers found by the address"

    def preview(self, step: Step) -> None:
        page = self.browser.get(self.beginning)
        self.browser.submit(page, page.form("depth"), button="Show what would be stored", depth="everything")
        self.running.supervisor.wait_for(self.is_counted, what="The preview", seconds=SECONDS)
        page = self.browser.get(self.beginning)
        self.counted = number(page.figure("Messages to store"))
        step.result = f"{self.counted} messages with {number(page.figure('Contacts in them'))} contacts"
        page = self.browser.submit(page, page.form("depth"), button="Start")
        page.value("data-busy-sync")  # only an account's page has it
        self.account = page.url

    def see_the_first_sync(self, step: Step) -> None:
        server = self.running.mail.message_ids(self.user.person)
        expect("the mail server holds what was generated", self.truth.is_on(server), True)
        page = self.wait_for_sync(lambda: len(self.reports()) > 0)
        examined, stored = number(page.figure("Messages examined")), number(page.figure("Messages stored"))
        expect("every message on the server was examined", examined, sum(map(len, server.values())))
        reported = self.reports()
        expect("the worker reports what the page shows", sum(each.examined for each in reported), examined)
        bodies = sum(each.bodies for each in reported)
        expect("a body is fetched for each stored message, once", bodies, stored)
        expect("the preview counted what is stored", self.counted, stored)
        self.figures.update(examined=examined, stored=stored, bodies_fetched=bodies)
        step.result = f"{examined} examined, {stored} stored, {bodies} bodies fetched"

    def compare(self, step: Step) -> None:
        stored = Counter(self.stored())
        found = Comparison.of(stored, expected=self.truth.expected)
        self.figures.update(stored=found.stored, lost=found.lost, doubled=found.doubled)
        if not found.agrees:
            raise StoryFailed(f"{found.lost} lost, {found.doubled} doubled, {found.strange} that don't belong here")
        others = len(self.truth.letters) - found.stored
        step.result = f"{found.stored} as on the server; {others} others left alone"

    def look_at_timelines(self, step: Step) -> None:
        entries = 0
        paths = contacts_on(self.browser.get("/contacts/"))
        for path in paths:
            contact = self.browser.get(path)
            address = next(
                each.text for each in contact.elements if each.attributes.get("href", "").startswith("mailto:")
            )
            shown = Counter(self.ids(path))
            if shown != self.truth.with_person(address):
                raise StoryFailed(f"the timeline of {address} is not what the server has with them")
            entries += shown.total()
        expect("every contact has a timeline", len(paths), 12)
        step.result = f"{len(paths)} contacts, {entries} entries, all as on the server"

    def turn_back(self, step: Step) -> None:
        page = self.leave_for_the_provider()
        page = self.browser.submit(page, page.form("username", "password"), button="Cancel")
        expect("the page says that nothing was changed", page.value("data-result"), "failed")
        expect("the page says why", page.value("data-code"), "consent_declined")
        self.browser.get(self.account).link("Switch to OAuth")  # the password is still in use
        step.result = "nothing was changed"

    def switch(self, step: Step) -> None:
        self.before_switch = len(self.reports())
        page = self.leave_for_the_provider()
        person = self.user.person
        page = self.browser.submit(
            page,
            page.form("username", "password"),
            button="Sign in",
            username=person.address,
            password=person.password,
        )
        page = self.browser.submit(page, page.form("allow"), button="Accept")
        expect("the result page says that it worked", page.value("data-result"), "switched")
        step.result = next(element.text for element in page.elements if element.tag == "h1")

    def sync_without_news(self, step: Step) -> None:
        self.wait_for_sync(lambda: len(self.reports()) > self.before_switch)  # the switch itself asks for one
        before = len(self.reports())
        self.sync_now(lambda: len(self.reports()) > before)
        later = self.reports()[self.before_switch :]
        bodies, examined = sum(each.bodies for each in later), sum(each.examined for each in later)
        self.figures["downloaded_again"] = bodies
        expect("no body is downloaded again", bodies, 0)
        expect("nothing is examined again", examined, 0)
        step.result = "0 examined, 0 bodies fetched"

    def read_the_certificate(self, step: Step) -> None:
        page = self.browser.get(f"{self.account}certificate/")
        found = {
            each.attributes["data-figure"]: number(each.text)
            for each in page.elements
            if "data-figure" in each.attributes
        }
        expect("nothing was lost, doubled or downloaded again", [found[name] for name in FAULTS], [0, 0, 0])
        expect("all that was on the server is there", found["present"], found["expected"])
        step.result = f"{found['present']} of {found['expected']} present, 0 lost, 0 doubled, 0 downloaded again"

    def receive_mail(self, step: Step) -> None:
        cast = self.running.cast
        reader, writer, colleague = self.user.person, cast.writer, cast.users[1].person
        for sender, matched in ((writer, True), (colleague, False)):
            message = letter(sender, reader, subject=f"News from {sender.name}")
            self.running.mail.send(sender, message)
            message_id = message["Message-ID"].strip("<>")
            people = (sender.address, reader.address)
            self.truth.add(message_id, -len(self.truth.letters), matched=matched, people=people)
        expect("both are on the mail server", self.truth.is_on(self.running.mail.message_ids(reader)), True)
        step.result = "by SMTP: one from a contact, one from a colleague"

    def sync_with_news(self, step: Step) -> None:
        before = sum(each.examined for each in self.reports())
        page = self.sync_now(lambda: sum(each.examined for each in self.reports()) > before)
        examined = number(page.figure("Messages examined"))
        expect("the new mail was examined", examined, self.figures["examined"] + 2)
        later = self.reports()[self.before_switch :]
        self.figures["downloaded_again"] = sum(each.bodies for each in later) - 1
        expect("only the new message's body was fetched", self.figures["downloaded_again"], 0)
        self.figures["examined"] = examined
        self.figures["bodies_fetched"] += 1
        expected = self.truth.with_person(self.running.cast.writer.address)
        timeline = Counter(self.ids(self.contact_page(self.running.cast.writer.name)))
        expect("the new message is on the timeline", timeline == expected, True)
        step.result = f"on the timeline of {self.running.cast.writer.name}"

    def ask_the_commands(self, step: Step) -> None:
        writer = self.running.cast.writer.address
        exported = Counter(line["message_id"] for line in self.manage("export_mail", "--contact", writer, "--json"))
        if self.truth.with_person(writer) - exported or exported - self.truth.conversations_with(writer):
            raise StoryFailed(f"export_mail doesn't give the mail with {writer}")
        (report,) = self.manage("sync_mailboxes", self.user.person.address, "--json")
        quiet = (report["error"], report["examined"], report["bodies_fetched"])
        expect("sync_mailboxes finds nothing left to do", quiet, (None, 0, 0))
        step.result = f"{exported.total()} messages exported about {writer}; nothing left to sync"


def play(running: Running) -> int:
    """Plays the story, prints it as a table and its outcome as one JSON line; the exit status."""
    started = time.monotonic()
    table = Table()
    table.head()
    story = Story(running)
    outcome: dict[str, Any] = {"story": "ok"}
    try:
        for name, chapter in story.chapters.items():
            with table.step(name) as step:
                chapter(step)
        outcome |= {figure: story.figures[figure] for figure in FIGURES}
    except Exception as error:  # noqa: BLE001 - whatever it is, the story didn't end well
        (running.world.logs / "story.log").write_text(traceback.format_exc())
        what = str(error) if isinstance(error, STUMBLES) else f"{type(error).__name__}: {error}"
        outcome = {"story": "failed", "step": table.current, "error": what, **story.figures}
    outcome["seconds"] = round(time.monotonic() - started, 1)
    sys.stdout.write(json.dumps(outcome, ensure_ascii=False) + "\n")
    sys.stdout.flush()
    return 0 if outcome["story"] == "ok" else 1


def expect(what: str, found: object, wanted: object) -> None:
    if found != wanted:
        raise StoryFailed(f"{what}: expected {wanted}, found {found}")


def number(text: str) -> int:
    """Reads a figure as pages write it: 1,234."""
    return int("".join(character for character in text if character.isdigit()) or -1)
