"""Who writes what to whom: conversations, lists, newsletters, notices."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mailaccounts.testing.mailbox.words import LANGUAGES, WEIGHTS, Language, Person, sentence, strangers

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

INBOX, SENT, ARCHIVE = "INBOX", "Sent", "Archive"
KINDS = {"colleague": 34, "stranger": 14, "newsletter": 24, "list": 15, "notice": 11, "decoy": 2}
OPEN_THREADS = 15  # those that may still be answered


@dataclass(slots=True)
class Thread:
    number: int
    kind: str  # "contact" or one of KINDS
    subject: str
    language: Language
    charset: str
    people: tuple[Person, ...]  # without the owner
    contacts: tuple[Person, ...] = ()
    late: bool = False  # its contact joins with the second message
    references: list[str] = field(default_factory=list)
    last_text: str = ""
    contact_in_inbox: bool = False
    torn: bool = False  # a message lost its Message-ID: what came before and after may not be connected any more


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """A message before it is written."""

    thread: Thread
    sender: Person
    to: tuple[Person, ...]
    cc: tuple[Person, ...]
    folder: str
    known: bool


class Cast:
    """The people and the threads of one mailbox; decides on the next message."""

    def __init__(
        self, rng: Random, *, owner: Person, contacts: Sequence[Person], share: float, crossing: float
    ) -> None:
        self._rng, self._owner, self._contacts = rng, owner, tuple(contacts)
        self._share, self._crossing = share if contacts else 0.0, crossing
        addresses = frozenset(person.address.lower() for person in (owner, *contacts))
        domain = owner.address.rpartition("@")[2]
        self._colleagues = tuple(
            Person(name=person.name, address=f"colleague{number}@{domain}")
            for number, person in enumerate(strangers(rng, count=8, not_in=frozenset()))
            if f"colleague{number}@{domain}" not in addresses
        )
        self._strangers = strangers(rng, count=400, not_in=addresses)
        self._ours: list[Thread] = []  # with contacts
        self._others: list[Thread] = []
        self._turn: list[Person] = []
        self._promised: Thread | None = None  # a late contact joins now
        self._started = 0

    def next(self, *, last: bool) -> Envelope:
        """The next message; ``last`` when no other will follow."""
        if self._promised is not None:
            thread, self._promised = self._promised, None
            return self._with_contact(thread, joining=True)
        if self._rng.random() < self._share:
            return self._next_of_ours(last=last)
        thread = self._pick(self._others, self._begin_other)
        return self._without_contact(thread)

    def _pick(self, threads: list[Thread], begin: object) -> Thread:
        if threads and self._rng.random() < 0.6:
            return self._rng.choice(threads)
        assert callable(begin)
        thread: Thread = begin()
        threads.append(thread)
        del threads[:-OPEN_THREADS]
        return thread

    def _next_of_ours(self, *, last: bool) -> Envelope:
        thread = self._pick(self._ours, self._begin_ours)
        if not thread.references and thread.late and not last:
            self._promised = thread
            return self._among_us(thread)
        among_us = thread.contact_in_inbox or (self._rng.random() < self._crossing and thread.references)
        if among_us and self._rng.random() < 0.3:
            return self._among_us(thread)
        return self._with_contact(thread)

    def _begin(self, kind: str, people: tuple[Person, ...], contacts: tuple[Person, ...] = ()) -> Thread:
        rng = self._rng
        (language,) = rng.choices(LANGUAGES, WEIGHTS)
        self._started += 1
        return Thread(
            number=self._started,
            kind=kind,
            subject=sentence(rng, language, words=rng.randint(2, 7)),
            language=language,
            charset=rng.choice(language.charsets),
            people=people,
            contacts=contacts,
        )

    def _begin_ours(self) -> Thread:
        rng = self._rng
        contacts = self._some_contacts(rng.choices((1, 2), (9, 1))[0])
        people = tuple(rng.sample(self._colleagues, k=rng.randint(0, 2)))
        thread = self._begin("contact", people, contacts)
        thread.late = bool(people) and rng.random() < self._crossing
        return thread

    def _some_contacts(self, count: int) -> tuple[Person, ...]:
        """In turn, in an order that changes each time round: nobody is forgotten."""
        if len(self._turn) < count:
            self._turn += self._rng.sample(self._contacts, k=len(self._contacts))
        chosen, self._turn = self._turn[:count], self._turn[count:]
        return tuple(dict.fromkeys(chosen))

    def _begin_other(self) -> Thread:
        rng = self._rng
        (kind,) = rng.choices(list(KINDS), list(KINDS.values()))
        if kind == "colleague":
            return self._begin(kind, tuple(rng.sample(self._colleagues, k=rng.randint(1, 3))))
        if kind == "decoy":  # a contact's address where it means nothing: as somebody's name
            writer, named = rng.choice(self._strangers), rng.choice(self._contacts or self._strangers)
            return self._begin(kind, (Person(name=named.address, address=writer.address),))
        return self._begin(kind, tuple(rng.sample(self._strangers, k=3 if kind == "list" else 1)))

    def _with_contact(self, thread: Thread, *, joining: bool = False) -> Envelope:
        everybody = (*thread.contacts, *thread.people)
        if joining or self._rng.random() < 0.35:
            return self._envelope(thread, self._owner, to=thread.contacts, cc=thread.people, known=True)
        thread.contact_in_inbox = True
        sender = self._rng.choice(everybody) if self._rng.random() < 0.3 else thread.contacts[0]
        others = tuple(person for person in everybody if person is not sender)
        return self._envelope(thread, sender, to=(self._owner,), cc=others, known=True)

    def _among_us(self, thread: Thread) -> Envelope:
        colleague = self._rng.choice(thread.people or self._colleagues)
        return self._envelope(thread, colleague, to=(self._owner,), known=False)

    def _without_contact(self, thread: Thread) -> Envelope:
        rng = self._rng
        if thread.kind in {"colleague", "stranger"} and rng.random() < 0.3:
            return self._envelope(thread, self._owner, to=thread.people, known=False)
        sender = rng.choice(thread.people)
        if thread.kind == "list":
            team = Person(name="", address=f"list{thread.number % 7}@lists.test")
            return self._envelope(thread, sender, to=(team,), known=False)
        others = tuple(person for person in thread.people if person is not sender)
        return self._envelope(thread, sender, to=(self._owner,), cc=others, known=False)

    def _envelope(
        self, thread: Thread, sender: Person, *, to: tuple[Person, ...], cc: tuple[Person, ...] = (), known: bool
    ) -> Envelope:
        folder = SENT if sender is self._owner else INBOX
        return Envelope(thread=thread, sender=sender, to=to, cc=cc, folder=folder, known=known)
