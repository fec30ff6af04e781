"""Gmail's IMAP server, as far as a sync needs it: it says what recorded sessions with the real one say, in its order.

It offers CONDSTORE without QRESYNC, ESEARCH, LIST-STATUS; HIGHESTMODSEQ is the same in every folder; the attributes of
its own come first in a FETCH answer; a label that needs no quotes has none; a folder's own label is left out in it.
"""

from __future__ import annotations

import base64
import re
from collections import Counter
from email.parser import BytesHeaderParser
from typing import TYPE_CHECKING

from imapclient.imap_utf7 import decode, encode

from tests.integration.gmail_mailbox import OWN, GmailMailbox, Kept
from tests.integration.hostile import HostileServer

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from tests.integration.gmail_mailbox import Kept, View
    from tests.integration.hostile import Peer

CAPABILITIES = (
    "IMAP4rev1 UNSELECT IDLE NAMESPACE QUOTA ID XLIST CHILDREN X-GM-EXT-1 UIDPLUS COMPRESS=DEFLATE ENABLE MOVE "
    "CONDSTORE ESEARCH UTF8=ACCEPT LIST-EXTENDED LIST-STATUS LITERAL- SPECIAL-USE APPENDLIMIT=35651584"
)
LOOK_SECONDS = 0.05  # between two looks at the folder that a client waits for
DATE = "%d-%b-%Y %H:%M:%S +0000"


class GmailServer:
    """Serves ``mailbox`` to whoever says the password; ``commands`` is what clients said since the last ``forget``."""

    def __init__(self, mailbox: GmailMailbox, *, password: str, context: ssl.SSLContext) -> None:
        self.mailbox, self.password = mailbox, password
        self.commands: list[str] = []
        self.refusal = ""  # said to every command but the login and LOGOUT, instead of an answer
        self._server = HostileServer(self._serve, context=context)

    @property
    def port(self) -> int:
        return self._server.port

    def __enter__(self) -> GmailServer:
        self._server.__enter__()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._server.__exit__(*exc_info)

    def forget(self) -> None:
        self.commands.clear()

    def count(self) -> Counter[str]:
        """How often each command was said."""
        return Counter(re.sub(r"^UID ", "UID-", line).split(" ", 1)[0] for line in self.commands)

    def _serve(self, peer: Peer) -> None:
        Conversation(self, peer).run()


class Conversation:
    """One connection."""

    def __init__(self, server: GmailServer, peer: Peer) -> None:
        self._server, self._mailbox, self._peer = server, server.mailbox, peer
        self._folder = ""
        self._answers: dict[str, Callable[[str, str], None]] = {
            "CAPABILITY": self._capability,
            "AUTHENTICATE": self._authenticate,
            "LIST": self._list,
            "STATUS": self._status,
            "SELECT": self._select,
            "EXAMINE": self._select,
            "UID SEARCH": self._search,
            "UID FETCH": self._fetch,
            "UID STORE": self._store,
        }

    def run(self) -> None:
        self._say("* OK Gimap ready for requests from 127.0.0.1 k2if6111336rvb.0")
        while True:
            line = self._peer.line().decode().rstrip("\r\n")
            tag, _, command = line.partition(" ")
            name = re.match(r"UID \w+|\w+", command.upper())
            assert name is not None
            self._server.commands.append(command)
            if name[0] == "LOGOUT":
                self._say("* BYE LOGOUT Requested", f"{tag} OK 73 good day (Success)")
                return
            if self._server.refusal and name[0] not in {"CAPABILITY", "AUTHENTICATE"}:
                self._say(f"{tag} {self._server.refusal}")
                continue
            if name[0] == "IDLE":
                self._idle(tag)
                continue
            answer = self._answers.get(name[0])
            if answer is None:
                self._say(f"{tag} BAD Unknown command")
                continue
            with self._mailbox.lock:
                answer(tag, command[name.end() :].strip())

    def _idle(self, tag: str) -> None:
        """Tells how many messages the folder has, whenever that is another number, until the client has enough."""
        uids = self._mailbox.views[self._folder].uids
        told = len(uids)
        self._say("+ idling")
        while not self._peer.speaks(LOOK_SECONDS):
            if (now := len(uids)) != told:
                told = now
                self._say(f"* {told} EXISTS")
        self._peer.line()
        self._say(f"{tag} OK IDLE terminated (Success)")

    def _say(self, *lines: str) -> None:
        self._peer.send("".join(f"{line}\r\n" for line in lines).encode())

    def _capability(self, tag: str, rest: str) -> None:
        self._say(f"* CAPABILITY {CAPABILITIES} AUTH=PLAIN", f"{tag} OK Success")

    def _authenticate(self, tag: str, rest: str) -> None:
        self._say("+ ")
        said = base64.b64decode(self._peer.line()).decode().split("\0")
        if said[2] != self._server.password:
            self._say(f"{tag} NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)")
        else:
            self._say(f"* CAPABILITY {CAPABILITIES}", f"{tag} OK {said[1]} authenticated (Success)")

    def _list(self, tag: str, rest: str) -> None:
        shown = {name: view for name, view in self._mailbox.views.items() if name not in self._mailbox.hidden}
        self._say(r'* LIST (\HasChildren \NonExistent) "/" "[Gmail]"')
        for name, view in shown.items():
            special = OWN.get(name, ("", ""))[0]
            self._say(f'* LIST (\\HasNoChildren{" " if special else ""}{special}) "/" "{_encoded(name)}"')
            if "STATUS" in rest:
                self._say(self._status_line(name, view))
        self._say(f"{tag} OK Success")

    def _status_line(self, name: str, view: View) -> str:
        figures = f"MESSAGES {len(view.uids)} UIDNEXT {view.uidnext} UIDVALIDITY {view.uidvalidity}"
        return f'* STATUS "{_encoded(name)}" (HIGHESTMODSEQ {self._mailbox.modseq} {figures})'

    def _status(self, tag: str, rest: str) -> None:
        name = _named(rest)
        self._say(self._status_line(name, self._mailbox.views[name]), f"{tag} OK Success")

    def _select(self, tag: str, rest: str) -> None:
        name = _named(rest)
        if name in self._mailbox.hidden or name not in self._mailbox.views:
            self._say(f"{tag} NO [NONEXISTENT] Unknown Mailbox: {name} (Failure)")
            return
        self._folder, view = name, self._mailbox.views[name]
        self._say(
            r"* FLAGS (\Answered \Flagged \Draft \Deleted \Seen $NotPhishing $Phishing)",
            "* OK [PERMANENTFLAGS ()] Flags permitted.",
            f"* OK [UIDVALIDITY {view.uidvalidity}] UIDs valid.",
            f"* {len(view.uids)} EXISTS",
            "* 0 RECENT",
            f"* OK [UIDNEXT {view.uidnext}] Predicted next UID.",
            f"* OK [HIGHESTMODSEQ {self._mailbox.modseq}]",
            f"{tag} OK [READ-ONLY] {name} selected. (Success)",
        )

    def _search(self, tag: str, rest: str) -> None:
        wanted = re.fullmatch(r'RETURN \(ALL\) (?:UID ([\d:*,]+)(?: (OR .*))?|HEADER MESSAGE-ID "(.*)")', rest)
        assert wanted is not None, "the tests have no use for other criteria"
        found = self._uids(wanted[1] or "1:*")
        view = self._mailbox.views[self._folder]
        messages = {uid: self._mailbox.messages[key] for key, uid in view.uids.items()}
        if wanted[2]:
            found = [uid for uid in found if _holds(messages[uid], wanted[2])]
        if wanted[3]:
            named = f"Message-ID: {wanted[3]}\r\n".encode()
            found = sorted(uid for uid, kept in messages.items() if named in kept.raw)
        numbers = f" ALL {','.join(map(str, found))}" if found else ""
        self._say(f'* ESEARCH (TAG "{tag}") UID{numbers}', f"{tag} OK SEARCH completed (Success)")

    def _fetch(self, tag: str, rest: str) -> None:
        uids, _, items = rest.partition(" ")
        since = re.search(r"\(CHANGEDSINCE (\d+)\)", items)
        view = self._mailbox.views[self._folder]
        by_uid = {uid: self._mailbox.messages[key] for key, uid in view.uids.items()}
        order = sorted(by_uid)
        for uid in self._uids(uids):
            kept = by_uid[uid]
            if since is None or kept.modseq > int(since[1]):
                said = " ".join(self._attributes(uid, kept, items, changed=since is not None)).encode()
                literal = _body(kept.raw, items)
                self._peer.send(f"* {order.index(uid) + 1} FETCH (".encode(), said, literal, b")\r\n")
        self._say(f"{tag} OK Success")

    def _store(self, tag: str, rest: str) -> None:
        asked = re.fullmatch(r"(\S+) ([+-])(FLAGS|X-GM-LABELS)\.SILENT \((.*)\)", rest)
        assert asked is not None, "the tests have no use for other forms"
        label = str(decode(asked[4].strip('"').encode()))
        for key, uid in list(self._mailbox.views[self._folder].uids.items()):
            if uid not in self._uids(asked[1]):
                continue
            if asked[3] == "X-GM-LABELS":
                (self._mailbox.label if asked[2] == "+" else self._mailbox.unlabel)(key, label)
            else:
                (self._mailbox.flag if asked[2] == "+" else self._mailbox.unflag)(key, label)
        self._say(f"{tag} OK Success")

    def _attributes(self, uid: int, kept: Kept, items: str, *, changed: bool) -> list[str]:
        labels = " ".join(map(_label, sorted(self._mailbox.labels_in(self._folder, kept))))
        each = {
            "X-GM-THRID": f"X-GM-THRID {kept.thread}",
            "X-GM-MSGID": f"X-GM-MSGID {kept.id}",
            "X-GM-LABELS": f"X-GM-LABELS ({labels})",
            "UID": f"UID {uid}",
            "RFC822.SIZE": f"RFC822.SIZE {len(kept.raw)}",
            "INTERNALDATE": f'INTERNALDATE "{kept.date.strftime(DATE)}"',
            "FLAGS": f"FLAGS ({' '.join(sorted(kept.flags))})",
        }
        asked = re.sub(r"BODY\S*\[.*", "", items)
        said = [text for name, text in each.items() if re.search(rf"(?<![-\w]){name}(?![-\w])", asked)]
        return [*said, f"MODSEQ ({kept.modseq})"] if changed else said

    def _uids(self, text: str) -> list[int]:
        """Those of a sequence set that there are; ``*`` is the highest of them."""
        there = sorted(self._mailbox.views[self._folder].uids.values())
        found: set[int] = set()
        for part in text.replace("*", str(max(there, default=0))).split(","):
            first, _, last = part.partition(":")
            low, high = sorted((int(first), int(last or first)))
            found.update(uid for uid in there if low <= uid <= high)
        return sorted(found)


def _holds(kept: Kept, any_of: str) -> bool:
    """Whether one of several criteria is true of a message."""
    headers = BytesHeaderParser().parsebytes(kept.raw)
    for together, thread in re.findall(r"\(([^)]*)\)|X-GM-THRID (\d+)", any_of):
        if thread == str(kept.thread):
            return True
        asked = re.findall(r'(?:HEADER )?([A-Z-]+) "([^"]*)"', together)
        if asked and all(text in headers.get(name, "").lower() for name, text in asked):
            return True
    alone = re.sub(r"\([^)]*\)", "", any_of)
    return any(text in headers.get(name, "") for name, text in re.findall(r'HEADER (\S+) "([^"]*)"', alone))


def _body(raw: bytes, items: str) -> bytes:
    """The part of the message that was asked for, as a literal; nothing when none was."""
    asked = re.search(r"BODY\.PEEK\[([^\]]*)\]<(\d+)\.(\d+)>", items)
    if asked is None:
        return b""
    start, most = int(asked[2]), int(asked[3])
    if asked[1]:
        names = set(asked[1].partition("(")[2].rstrip(")").lower().split())
        headers = BytesHeaderParser().parsebytes(raw).items()
        raw = "".join(f"{name}: {value}\r\n" for name, value in headers if name.lower() in names).encode() + b"\r\n"
    piece = raw[start : start + most]
    return f" BODY[{asked[1]}]<{start}> {{{len(piece)}}}\r\n".encode() + piece


def _encoded(name: str) -> str:
    return encode(name).decode()


def _named(rest: str) -> str:
    """The folder that a command begins with."""
    return str(decode(rest[1 : rest.index('"', 1)].encode()))


def _label(label: str) -> str:
    text = _encoded(label)
    return text if re.fullmatch(r"[\w&,+/-]+", text) else '"' + text.replace("\\", "\\\\") + '"'
