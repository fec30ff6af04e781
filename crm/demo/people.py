"""Who lives in the demo's world: two users of the CRM with mailboxes, somebody who is none, and their contacts."""

from __future__ import annotations

import csv
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

# No letters or digits that look alike: people type these.
ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody with a mailbox; ``password`` opens it, and signs in at the identity provider."""

    name: str
    address: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """Somebody who may sign in to the CRM; with ``admin`` to the admin too."""

    username: str
    password: str = field(repr=False)
    person: Person
    admin: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Cast:
    """``writer`` is a contact with a mailbox on the same server, who can write to the others. ``canary`` is of the
    users' organisation, with a mailbox that is closed to the CRM."""

    users: tuple[User, User]
    writer: Person
    canary: Person

    @property
    def people(self) -> tuple[Person, ...]:
        return (*(user.person for user in self.users), self.writer, self.canary)


CONTACTS = (
    ("Nadia Berg", "nadia@harbor.test", "Harbor Logistics"),
    ("Tom Lindqvist", "tom@harbor.test", "Harbor Logistics"),
    ("Käthe Müller", "kaethe.mueller@muehlenwerk.test", "Mühlenwerk GmbH"),
    ("Jürgen Groß", "j.gross@muehlenwerk.test", "Mühlenwerk GmbH"),
    ("Éloïse Lefèvre", "eloise@atelier-lumiere.test", "Atelier Lumière"),
    ("Łukasz Wójcik", "lukasz@silesia-steel.test", "Silesia Steel"),
    ("Anna Sokolova", "a.sokolova@neva.test", "Neva Optics"),
    ("佐藤 美咲", "misaki@kaede.test", "Kaede Trading"),
    ("Priya Raman", "priya@monsoon.test", "Monsoon Foods"),
    ("Daniel Okafor", "daniel@okafor.test", "Okafor & Sons"),
    ("O'Neill, Grace", "grace.oneill@brightwater.test", "Brightwater"),
    ("김 서연", "seoyeon@hanbit.test", "Hanbit"),
)


def make_cast() -> Cast:
    """The same people every time, with new passwords."""
    olga = Person(name="Olga Ferrante", address="olga@office.test", password=make_password())
    ben = Person(name="Ben Whitaker", address="ben@office.test", password=make_password())
    name, address, _ = CONTACTS[0]
    return Cast(
        users=(
            User(username="olga", password=make_password(), person=olga),
            User(username="ben", password=make_password(), person=ben, admin=True),
        ),
        writer=Person(name=name, address=address, password=make_password()),
        canary=Person(name="Vera Lindholm", address="vera@office.test", password=make_password()),
    )


def make_password() -> str:
    return "-".join("".join(secrets.choice(ALPHABET) for _ in range(4)) for _ in range(3))


def write_contacts(path: Path) -> None:
    """Writes the contacts as ``manage.py import_contacts`` reads them."""
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(("name", "email", "company"))
        table.writerows(CONTACTS)
