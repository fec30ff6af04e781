"""Replays a history with an ordinary mail program's commands, and reads what the store made of it."""

from __future__ import annotations

import contextlib
import imaplib
import re
import socket
import ssl
from datetime import timedelta
from typing import TYPE_CHECKING, Self

from django.utils import timezone
from imapclient.imap_utf7 import decode, encode

from mailaccounts.models import Folder, MessageUid
from mailaccounts.services.syncing.sync import sync_account
from mailaccounts.testing.sandbox.mailbox import MARK, check, folders, quoted
from tests.histories import Contents, Model, Operation, is_from_contact
from tests.letters import CONTACT, STRANGER, letter

if TYPE_CHECKING:
    from mailaccounts.models import MailAccount
    from tests.sandbox_fixtures import SandboxMailbox

DOMAIN = "history.test"
MESSAGE_ID = re.compile(rb"<(\d+)@")


class OtherClient:
    """Somebody else's connection to the mailbox; it isn't in the rawlogs."""

    def __init__(self, mailbox: SandboxMailbox) -> None:
        trusted = ssl.create_default_context(cafile=str(mailbox.sandbox.ca_file))
        self._imap = imaplib.IMAP4_SSL("localhost", mailbox.sandbox.imap.port, ssl_context=trusted, timeout=30)
        self._imap.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else 40 ms for each literal
        self._imap.login(mailbox.address, mailbox.password)
        check(self._imap.xatom("ID", MARK.decode()))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        with contextlib.suppress(imaplib.IMAP4.error, OSError):
            self._imap.logout()

    def do(self, wanted: Operation) -> None:
        """Everything but "sync"."""
        imap, folder, other = self._imap, name(wanted.folder), name(wanted.other)
        match wanted.kind:
            case "arrive":
                check(imap.append(folder, f"({wanted.other})", "", written(wanted.number)))
            case "flag":
                check(imap.uid("STORE", self._uid(wanted), "+FLAGS", f"({wanted.other})"))
            case "unflag":
                check(imap.uid("STORE", self._uid(wanted), "-FLAGS", f"({wanted.other})"))
            case "move":
                check(imap.uid("MOVE", self._uid(wanted), other))
            case "copy":
                check(imap.uid("COPY", self._uid(wanted), other))
            case "expunge":
                check(imap.uid("STORE", self._uid(wanted), "+FLAGS", r"(\Deleted)"))
                check(imap.expunge())
            case "create":
                check(imap.create(folder))
            case "rename":
                self._leave()
                check(imap.rename(folder, other))
            case "delete":
                self._leave()
                check(imap.delete(folder))
            case "reset":
                self._reset(folder)

    def contents(self) -> Contents:
        """What is there, by folder and number, with flags."""
        found: dict[str, dict[int, frozenset[str]]] = {}
        for folder in folders(self._imap):
            (exists,) = check(self._imap.select(quoted(folder), readonly=True))
            items = "(FLAGS BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])"
            parts = check(self._imap.uid("FETCH", "1:*", items)) if int(exists) else []
            found[decode(folder.encode())] = {
                int(MESSAGE_ID.findall(part[1])[0]): frozenset(flags_in(part[0]))
                for part in parts
                if isinstance(part, tuple)
            }
            assert len(found[decode(folder.encode())]) == int(exists)
        return found

    def _uid(self, wanted: Operation) -> str:
        check(self._imap.select(name(wanted.folder)))
        (found,) = check(self._imap.uid("SEARCH", "HEADER", "Message-ID", quoted(f"<{wanted.number}@{DOMAIN}>")))
        (uid,) = found.split()
        return str(uid.decode())

    def _leave(self) -> None:
        """A folder that is open can't be renamed or deleted everywhere."""
        check(self._imap.select("INBOX", readonly=True))

    def _reset(self, folder: str) -> None:
        """The same letters under another UIDVALIDITY, as after restoring a backup."""
        (exists,) = check(self._imap.select(folder, readonly=True))
        parts = check(self._imap.uid("FETCH", "1:*", "(FLAGS BODY.PEEK[])")) if int(exists) else []
        kept = [(f"({' '.join(flags_in(part[0]))})", part[1]) for part in parts if isinstance(part, tuple)]
        self._leave()
        check(self._imap.delete(folder))
        check(self._imap.create(folder))
        for flags, raw in kept:
            check(self._imap.append(folder, flags, "", raw))


def flags_in(line: bytes) -> list[str]:
    """Without \\Recent, which is nobody's."""
    found = re.search(rb"FLAGS \(([^)]*)\)", line)
    return [flag for flag in (found[1] if found else b"").decode().split() if flag != "\\Recent"]


def name(folder: str) -> str:
    return quoted(encode(folder).decode())


def written(number: int) -> bytes:
    sender = CONTACT if is_from_contact(number) else STRANGER
    return letter(sender, subject=f"Letter {number}", message_id=f"{number}@{DOMAIN}")


class Replay:
    """A history, its model, and an account that is synced now and then."""

    def __init__(self, mailbox: SandboxMailbox, account: MailAccount) -> None:
        self.model = Model()
        self.bodies_fetched = 0
        self._mailbox, self._account = mailbox, account

    def run(self, script: list[Operation]) -> None:
        with OtherClient(self._mailbox) as client:
            for operation in script:
                if operation.kind == "sync":
                    self.sync()
                else:
                    client.do(operation)
                self.model.apply(operation)
            there = {folder: letters for folder, letters in client.contents().items() if folder in self.model.folders}
        assert there == self.model.contents()  # or else the other client did something else than the model

    def sync(self) -> None:
        report = sync_account(self._account.pk)
        assert report.error is None, report.error.code
        assert report.finished
        self.bodies_fetched += report.bodies_fetched

    def settle(self) -> None:
        """Syncs until time has passed too: folders that were missing once may come back, and a server without
        CONDSTORE isn't asked for every flag each time."""
        for _ in range(3):
            Folder.objects.filter(account=self._account).update(flags_at=timezone.now() - timedelta(days=1))
            self.sync()

    def stored(self) -> Contents:
        """What the store says of each folder."""
        found: dict[str, dict[int, frozenset[str]]] = {}
        places = MessageUid.objects.filter(folder__account=self._account)
        for folder, message_id, flags in places.values_list("folder__name", "message__message_id", "flags"):
            number = int(message_id.partition("@")[0])
            assert number not in found.setdefault(folder, {}), f"{number} lies twice in {folder}"
            found[folder][number] = frozenset(flags.split())
        return found

    def check(self) -> None:
        """The store holds what is there, once, and nothing of a stranger's; no body came twice."""
        expected = self.model.belongs_into_the_store()
        assert self.stored() == expected
        live = self._account.messages.filter(gone_since=None).values_list("message_id", flat=True)
        numbers = {number for letters in expected.values() for number in letters}
        assert sorted(live) == sorted(f"{number}@{DOMAIN}" for number in numbers)
        assert not self._account.messages.filter(has_body=False).exists()
        assert not any(number % 3 == 0 for number in numbers)
        assert self.bodies_fetched <= sum(map(is_from_contact, range(1, self.model.arrived + 1)))
