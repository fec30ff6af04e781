"""Reading STATUS, alone and within LIST."""

from __future__ import annotations

import pytest

from mailaccounts.mail.abilities import Abilities
from mailaccounts.mail.imap_folders import read_folders
from mailaccounts.mail.imap_list import AskStatus, List, read_status, status_items
from mailaccounts.mail.types import FolderStatus
from tests.unit.recorded import Recorded

ITEMS = b"(MESSAGES 3 UIDNEXT 10 UIDVALIDITY 7 HIGHESTMODSEQ 55 MAILBOXID (F1-_x))"
STATUS = FolderStatus(uidvalidity=7, uidnext=10, exists=3, highestmodseq=55, mailbox_id="F1-_x")


@pytest.mark.parametrize(
    ("text", "literals", "name"),
    [
        (b'STATUS "B&APw-ro (1)" ' + ITEMS, [], "Büro (1)"),
        (b"status inbox " + ITEMS.lower().replace(b"f1-_x", b"F1-_x"), [], "INBOX"),
        (b'STATUS "with \\"quotes\\"" ' + ITEMS + b" ", [], 'with "quotes"'),
        (b"STATUS {5}\r\n " + ITEMS, [b'a"b c'], 'a"b c'),
    ],
)
def test_a_status_and_whose_it_is(text: bytes, literals: list[bytes], name: str) -> None:
    assert read_status(text + b"\r\n", literals) == (name, STATUS)


@pytest.mark.parametrize(
    "text",
    [
        b"STATUS",
        b"STATUS x",
        b"STATUS x (MESSAGES 3 UIDNEXT 10)",
        b"STATUS x (MESSAGES 3 UIDNEXT 10 UIDVALIDITY 0)",
        b"STATUS x (MESSAGES 3 UIDNEXT 10 UIDVALIDITY 99999999999999999999)",
        b"STATUS x (MESSAGES 3 UIDNEXT 9223372036854775808 UIDVALIDITY 7)",
        b"STATUS x (MESSAGES a UIDNEXT 10 UIDVALIDITY 7)",
        b'STATUS "x (MESSAGES 3 UIDNEXT 10 UIDVALIDITY 7)',
        b"STATUS &bad (MESSAGES 3 UIDNEXT 10 UIDVALIDITY 7)",
        b"LIST x (MESSAGES 3 UIDNEXT 10 UIDVALIDITY 7)",
        b"STATUS " + b"(" * 50_000,
        b'STATUS "' + b"\\" * 50_000,
    ],
)
def test_a_status_that_makes_no_sense_is_none(text: bytes) -> None:
    assert read_status(text + b"\r\n", []) is None


def test_without_condstore_there_is_no_modseq() -> None:
    told = read_status(b"STATUS x (UIDVALIDITY 7 UIDNEXT 10 MESSAGES 3)\r\n", [])
    assert told == ("x", FolderStatus(uidvalidity=7, uidnext=10, exists=3))


def test_only_what_the_server_has_is_asked_for() -> None:
    assert status_items(Abilities()) == "(MESSAGES UIDNEXT UIDVALIDITY)"
    able = Abilities(condstore=True, object_id=True)
    assert status_items(able) == "(MESSAGES UIDNEXT UIDVALIDITY HIGHESTMODSEQ MAILBOXID)"


def test_folders_come_with_their_status_and_without_it_if_there_is_none() -> None:
    server = Recorded(
        b'* LIST () "/" INBOX\r\n* STATUS INBOX ' + ITEMS + b"\r\n",
        b'* LIST () "/" {3}\r\na"b\r\n* STATUS {3}\r\na"b ' + ITEMS + b"\r\n",
        b'* LIST (\\Noselect) "/" Parent\r\n* STATUS Unlisted ' + ITEMS + b"\r\n* STATUS Parent nonsense\r\n",
        b"W1 OK done\r\n",
    )
    told = server.pipeline.ask(List("SPECIAL-USE", "STATUS (MESSAGES)"))
    assert server.sent == b'W1 LIST "" "*" RETURN (SPECIAL-USE STATUS (MESSAGES))\r\n'
    folders = {folder.name: folder for folder in read_folders(told.folders, told.statuses)}
    assert {name: folder.status for name, folder in folders.items()} == {
        "INBOX": STATUS,
        'a"b': STATUS,
        "Parent": None,
    }
    assert folders["INBOX"].mailbox_id == "F1-_x"
    assert folders["Parent"].mailbox_id == ""


def test_answers_in_any_order_go_to_the_folders_they_name() -> None:
    server = Recorded(
        b"* STATUS b (MESSAGES 2 UIDNEXT 9 UIDVALIDITY 7)\r\n* STATUS a (MESSAGES 1 UIDNEXT 9 UIDVALIDITY 7)\r\n",
        b"W1 OK .\r\nW2 OK .\r\nW3 NO gone\r\n",
    )
    asked = [AskStatus(name, name.encode(), "(MESSAGES)") for name in "abc"]
    told = {each.folder: each.told and each.told.exists for each in server.pipeline.ask_all(asked)}
    assert told == {"a": 1, "b": 2, "c": None}
    assert server.traffic.round_trips == 1


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [
        ({"IMAP4REV1"}, Abilities()),
        ({"IMAP4REV1", "QRESYNC", "ENABLE"}, Abilities(condstore=True)),
        ({"IMAP4REV1", "CONDSTORE", "ESEARCH", "SPECIAL-USE"}, Abilities(condstore=True, esearch=True)),
        ({"SPECIAL-USE", "LIST-EXTENDED"}, Abilities(special_use=True)),
        ({"LITERAL+"}, Abilities(short_literals=True)),
        ({"MESSAGELIMIT=1000", "X-GM-EXT-1"}, Abilities(message_limit=1000, gmail=True)),
        ({"MESSAGELIMIT=0"}, Abilities(message_limit=1)),
        ({"MESSAGELIMIT=", "MESSAGELIMIT=x", "MESSAGELIMIT=99999999999"}, Abilities()),
        (
            {"IMAP4REV2", "OBJECTID"},
            Abilities(
                esearch=True,
                idle=True,
                list_status=True,
                move=True,
                special_use=True,
                uidplus=True,
                object_id=True,
                short_literals=True,
            ),
        ),
    ],
)
def test_abilities_are_read_from_what_a_server_names(capabilities: set[str], expected: Abilities) -> None:
    assert Abilities.read(capabilities) == expected


def test_qresync_counts_once_it_is_enabled() -> None:
    able = Abilities.read({"QRESYNC"}, enabled={"QRESYNC"})
    assert (able.qresync, able.condstore) == (True, True)
