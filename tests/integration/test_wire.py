"""The privacy rule, proven on the wire over a whole mailbox: beyond headers nothing is asked for but of contacts and
their conversations, whatever comes when; and the ledger's figures are what the server saw."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from email.parser import BytesHeaderParser
from typing import TYPE_CHECKING

import pytest

from crm.contacts import save_contact, set_domains
from mailaccounts import tasks
from mailaccounts.models import Blocked, Preview, Tally
from mailaccounts.services.connecting.begin import begin
from mailaccounts.services.syncing.preview import ask
from mailaccounts.services.syncing.sync import sync_account
from mailaccounts.testing.mailbox import Person, generate
from tests.app.builders import make_user
from tests.benchmarks.maildir import Maildir
from tests.crm.builders import make_company
from tests.integration.wire import Place, read_wire

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from pytest_django.fixtures import SettingsWrapper

    from mailaccounts.models import MailAccount
    from mailaccounts.testing.mailbox import GeneratedMessage
    from tests.sandbox_fixtures import SandboxMailbox

MESSAGE_ID = re.compile(r"<([^<>]+)>")
REASONS = ("nobody", "colleagues", "blocked")


def people(domain: str, count: int) -> list[Person]:
    return [Person(name=f"Somebody {number}", address=f"somebody{number}@{domain}") for number in range(count)]


KNOWN, LATER = people("customer.test", 12), people("later.test", 4)
AT_COMPANY, BLOCKED, BARRED = people("company.test", 3), people("private.test", 3), people("barred.test", 2)


@dataclass(slots=True, kw_only=True)
class Letters:
    """All that lies in the mailbox, as somebody finds who reads it with Python's own parser: by its place, which
    message it is, who takes part, and which Message-IDs it names."""

    maildir: Maildir
    identities: dict[Place, int] = field(default_factory=dict)
    people: dict[Place, frozenset[str]] = field(default_factory=dict)
    names: dict[Place, frozenset[str]] = field(default_factory=dict)
    uids: Counter[str] = field(default_factory=Counter)

    def arrive(self, messages: Iterable[GeneratedMessage]) -> None:
        at_first = not self.uids  # later on Dovecot has to be told
        for each in messages:
            if at_first:
                self.maildir.write(each.raw, when=each.date, folder=each.folder)
            else:
                self.maildir.mailbox.append(each.raw, each.folder, each.date)
            self.uids[each.folder] += 1
            place = (each.folder, self.uids[each.folder])
            headers = BytesHeaderParser().parsebytes(each.raw)
            named = (str(headers[name] or "") for name in ("Message-ID", "In-Reply-To", "References"))
            self.identities[place] = hash(each.raw)
            self.people[place] = frozenset(address.address.lower() for address in each.truth.addresses)
            self.names[place] = frozenset(MESSAGE_ID.findall(" ".join(named)))

    def with_any_of(self, known: Collection[str]) -> set[Place]:
        """The messages in which one of these takes part, and the rest of their conversations."""
        found = {place for place, people in self.people.items() if not people.isdisjoint(known)}
        names = set().union(*(self.names[place] for place in found))
        while more := {place for place in self.names.keys() - found if not names.isdisjoint(self.names[place])}:
            found |= more
            names = names.union(*(self.names[place] for place in more))
        return found

    def messages(self, places: Iterable[Place]) -> set[int]:
        return {self.identities[place] for place in places}


@dataclass(slots=True, kw_only=True)
class Watched:
    """An account, and what it must have done by what is known so far."""

    account: MailAccount
    mailbox: SandboxMailbox
    letters: Letters
    known: set[str]
    passed_over: set[str]

    def sync(self) -> None:
        while not (report := sync_account(self.account.pk)).finished:
            assert report.error is None, report.error

    def judge(self) -> None:
        """The bodies asked for are those of contacts' conversations, each once; the ledger says what the wire does."""
        wire, letters = read_wire(self.mailbox), self.letters
        wanted = letters.with_any_of(self.known)
        assert set(wire.headers) == set(letters.people)
        assert wire.bodies.keys() <= wanted, "something of nobody's business was asked for"
        assert letters.messages(wire.bodies) == letters.messages(wanted), "something of a contact's is missing"
        assert len(wire.bodies) == len(letters.messages(wanted)), "a body was fetched twice"
        tally = Tally.objects.get(account=self.account)
        others = Counter(map(self._reason, letters.people.keys() - wanted))
        assert tally.examined == len(wire.headers)
        assert tally.bodies == tally.stored == len(wire.bodies) == self.account.messages.count()
        assert tally.again == len(wanted) - len(letters.messages(wanted))
        assert tally.skipped == others.total()
        beyond = {name: getattr(tally, name) - others[name] for name in REASONS}
        assert min(beyond.values()) >= 0
        assert sum(beyond.values()) == tally.joined

    def _reason(self, place: Place) -> str:
        people = self.letters.people[place]
        if not people.isdisjoint(each.address for each in BLOCKED):
            return "blocked"
        return "colleagues" if people and people <= self.passed_over else "nobody"


@pytest.fixture
def watched(account: MailAccount, mailbox: SandboxMailbox, settings: SettingsWrapper) -> Watched:
    """An account that nothing is read of yet. Some are known; of others the owner has blocked the domain, or the CRM
    bars it; and some colleagues are users of the CRM."""
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "BODY_BATCH_BYTES": 12_000}  # longer ones come part by part
    settings.CRM_BARRED_DOMAINS = ["barred.test"]
    for each in (*KNOWN, *BLOCKED, *BARRED):
        save_contact(name=each.name, addresses=[each.address])
    Blocked.objects.create(owner=account.owner, pattern="@private.test")
    account.begun = False
    account.save()
    ours = {account.address}
    for number in range(6):
        user = make_user()
        user.email = f"colleague{number}@sandbox.test"
        user.save()
        ours.add(user.email)
    return Watched(
        account=account,
        mailbox=mailbox,
        letters=Letters(maildir=Maildir(mailbox=mailbox)),
        known={each.address for each in KNOWN},
        passed_over=ours | {each.address for each in BARRED},
    )


@pytest.mark.parametrize("count", [500, pytest.param(5_000, marks=pytest.mark.soak)])
def test_nothing_of_others_is_asked_for_and_the_ledger_says_what_the_wire_does(watched: Watched, count: int) -> None:
    everybody = [*KNOWN, *LATER, *AT_COMPANY, *BLOCKED, *BARRED]
    owner = Person(name="Anna Owner", address=watched.account.address)
    messages = list(
        generate(
            count, seed=6, owner=owner, contacts=everybody, share=0.4, crossing=0.5, copies=0.03, malformed=0.03,
            attachment_bytes=(1_000, 30_000),
        )
    )  # fmt: skip
    first, second, last = count * 7 // 10, count * 8 // 10, count * 9 // 10

    watched.letters.arrive(messages[:first])
    ask(watched.account, since=None)
    tasks.preview(watched.account.pk)
    preview = Preview.objects.get()
    wire, wanted = read_wire(watched.mailbox), watched.letters.with_any_of(watched.known)
    assert set(wire.headers) == set(watched.letters.people)
    assert not wire.bodies
    assert (preview.examined, preview.matched) == (first, len(watched.letters.messages(wanted)))
    assert Tally.objects.get().previewed == len(wire.headers)

    begin(watched.account, since=None)
    watched.sync()
    watched.judge()

    watched.letters.arrive(messages[first:second])  # some of it brings a contact into a conversation of others
    watched.sync()
    watched.judge()

    for each in LATER:
        save_contact(name=each.name, addresses=[each.address])
    set_domains(make_company(), ["company.test"])
    watched.known |= {each.address for each in (*LATER, *AT_COMPANY)}
    watched.sync()
    watched.judge()

    watched.letters.arrive(messages[second:last])
    watched.sync()
    watched.letters.arrive(messages[last:])
    watched.sync()
    watched.judge()
    watched.sync()
    watched.judge()
