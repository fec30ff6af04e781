"""The people of the sandbox. One file holds them; every server reads it at each sign-in."""

from __future__ import annotations

import json
import os
import re
import tempfile
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

APPLICATIONS = "applications"
"""Whose token it is that opens everybody's mailbox."""

ADDRESS = re.compile(r"[\w.+-]+@[\w.-]+", re.ASCII)  # mailboxes are directories of this name


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxUser:
    """Somebody with a mailbox who can sign in at the identity provider; ``password`` serves both.

    ``shared`` are other mailboxes that this person's tokens open too and may send as. A mailbox may be closed to
    applications, as an administrator does it for those that are nobody else's business. ``is_admin``: may allow the
    application its roles at Entra's admin consent page.
    """

    address: str
    password: str = field(repr=False)
    shared: tuple[str, ...] = ()
    closed_to_apps: bool = False
    is_admin: bool = False

    @classmethod
    def read(cls, raw: dict[str, Any]) -> SandboxUser:
        """From JSON."""
        return cls(**{**raw, "shared": tuple(raw.get("shared", ()))})

    def __post_init__(self) -> None:
        if not ADDRESS.fullmatch(self.address):
            raise ValueError(f"not an address for the sandbox: {self.address!r}")

    @property
    def domain(self) -> str:
        return self.address.rpartition("@")[2].lower()

    @property
    def opens(self) -> set[str]:
        """The mailboxes a token of this person opens, in lower case."""
        return {address.lower() for address in (self.address, *self.shared)}


class UserFile:
    """The users as JSON: ``{"users": [{"address", "password"}, ...]}`` with what else is said of them, readable by its
    owner only."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> dict[str, SandboxUser]:
        """Users by lower-case address."""
        users = json.loads(self.path.read_text())["users"]
        return {user["address"].lower(): SandboxUser.read(user) for user in users}

    def write(self, users: Iterable[SandboxUser]) -> None:
        """Replaces everybody. A shared mailbox is a user too; ValueError when one isn't there."""
        users = list(users)
        missing = {name for user in users for name in user.opens} - {user.address.lower() for user in users}
        if missing:
            raise ValueError(f"shared, but nobody's mailbox: {', '.join(sorted(missing))}")
        replace_file(self.path, json.dumps({"users": [asdict(user) for user in users]}))

    def find(self, address: str) -> SandboxUser | None:
        return self.read().get(address.strip().lower())

    def may_open(self, who: str, address: str) -> bool:
        """Whether the tokens of ``who`` (an address, or APPLICATIONS) open a mailbox."""
        users = self.read()
        mailbox, person = users.get(address.lower()), users.get(who.lower())
        if mailbox is None:
            return False
        if who == APPLICATIONS:
            return not mailbox.closed_to_apps
        return person is not None and address.lower() in person.opens

    def domains(self) -> set[str]:
        """The domains this sandbox is the mail server of."""
        return {user.domain for user in self.read().values()}


def replace_file(path: Path, text: str) -> None:
    """Writes so that a reader sees the old or the new content and nothing between; mode 0600."""
    handle, name = tempfile.mkstemp(dir=path.parent)
    with os.fdopen(handle, "w") as file:
        file.write(text)
    os.replace(name, path)
