"""Fixtures of the sandbox: one of a kind per test process, a fresh mailbox per test."""

from __future__ import annotations

import secrets
import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest

from mailaccounts.testing.sandbox import Sandbox, SandboxUser

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from mailaccounts.testing.sandbox.provider import IdentityProvider
    from mailaccounts.testing.sandbox.rawlog import RawLog


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxMailbox:
    """A user that exists for one test, with the sandbox he lives in."""

    sandbox: Sandbox
    user: SandboxUser

    @property
    def address(self) -> str:
        return self.user.address

    @property
    def password(self) -> str:
        return self.user.password

    def append(self, raw: bytes, folder: str = "INBOX", when: datetime | None = None, flags: str = "") -> None:
        self.sandbox.append(self.address, raw, folder, when, flags)

    def message_ids(self) -> dict[str, list[str]]:
        return self.sandbox.message_ids(self.address)

    def rawlogs(self) -> list[RawLog]:
        return self.sandbox.rawlogs(self.address)


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    """The sandbox with Dovecot. Add users rather than share: ``mailbox`` and ``new_mailbox`` do."""
    yield from _running(imap="dovecot")


@pytest.fixture(scope="session")
def pymap_sandbox() -> Iterator[Sandbox]:
    """The sandbox with pymap: what a machine without Dovecot has."""
    yield from _running(imap="pymap")


@pytest.fixture
def mailbox(new_mailbox: Callable[[], SandboxMailbox]) -> SandboxMailbox:
    """A new user with an empty mailbox on Dovecot."""
    return new_mailbox()


@pytest.fixture
def idp(sandbox: Sandbox) -> Iterator[IdentityProvider]:
    """The identity provider of ``sandbox``; faults switched on in a test end with it."""
    yield sandbox.idp
    sandbox.idp.faults.reset()


@pytest.fixture
def new_mailbox(sandbox: Sandbox) -> Callable[..., SandboxMailbox]:
    """Makes a new user with an empty mailbox at each call; ``domain="google.test"`` is somebody with Google."""
    return partial(_new_mailbox, sandbox)


@pytest.fixture
def pymap_mailbox(pymap_sandbox: Sandbox) -> SandboxMailbox:
    """A new user with an empty mailbox on pymap."""
    return _new_mailbox(pymap_sandbox)


@pytest.fixture
def sandbox_directory() -> Iterator[Path]:
    """An empty directory for a sandbox of the test's own."""
    with _directory() as directory:
        yield directory


def new_user(*, password: str = "", domain: str = "sandbox.test") -> SandboxUser:
    """Somebody nobody else is; the domain says which provider signs them in."""
    return SandboxUser(address=f"user-{secrets.token_hex(4)}@{domain}", password=password or secrets.token_urlsafe(12))


def _new_mailbox(sandbox: Sandbox, *, domain: str = "sandbox.test") -> SandboxMailbox:
    return SandboxMailbox(sandbox=sandbox, user=sandbox.add_user(new_user(domain=domain)))


def _running(*, imap: Literal["dovecot", "pymap"]) -> Iterator[Sandbox]:
    with _directory() as directory, Sandbox(directory, imap=imap) as sandbox:
        yield sandbox


@contextmanager
def _directory() -> Iterator[Path]:
    """Directly below /tmp: pytest's own directories are closed to the user Dovecot runs as."""
    directory = Path(tempfile.mkdtemp(prefix="mailaccounts-sandbox-"))
    directory.chmod(0o711)
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)
