"""Reading LIST in all the forms servers give it."""

from __future__ import annotations

from mailaccounts.mail.imap_folders import read_folders
from mailaccounts.mail.types import FolderInfo, FolderRole


def read(*lines: bytes | tuple[bytes, bytes]) -> list[FolderInfo]:
    """The folders in lines of LIST, of which those that end in a literal come with it."""
    return read_folders([line if isinstance(line, tuple) else (line, None) for line in lines])


def roles(*lines: bytes | tuple[bytes, bytes]) -> dict[str, FolderRole]:
    return {folder.name: folder.role for folder in read(*lines)}


def test_names_come_quoted_bare_and_as_literals() -> None:
    folders = read(
        b'(\\HasNoChildren) "/" "INBOX"',
        b'(\\HasNoChildren) "/" Bare',
        (b'(\\HasNoChildren) "/" {9}', b'In "here"'),
        b"",
        b'() "/" "with \\"quotes\\" and \\\\"',
        b'() "/" "B&APw-ro &- Co"',
        b'() "/" 123',
        b'() "/" "extended" ("CHILDINFO" ("SUBSCRIBED"))',
    )
    assert [folder.name for folder in folders] == [
        "INBOX",
        "123",
        "Bare",
        "Büro & Co",
        'In "here"',
        "extended",
        'with "quotes" and \\',
    ]


def test_the_inbox_is_first_and_spelled_one_way_and_always_there() -> None:
    assert read(*[b'() "/" Archive', b'() "/" inbox'])[0].name == "INBOX"
    assert read(*[])[0].role is FolderRole.INBOX


def test_an_inbox_is_tried_whatever_the_list_says_of_it() -> None:
    inbox, other = read(*[b'(\\Noselect) "/" "&ATE-nbox"', b'(\\Noselect) "/" INBOX'])
    assert (inbox.name, inbox.selectable) == ("INBOX", True)
    assert (other.name, other.selectable) == ("\N{LATIN SMALL LETTER DOTLESS I}nbox", False)


def test_the_delimiter_may_be_anything_or_nothing() -> None:
    folders = read(*[b"() NIL Flat", b'() "." Dotted', b'() "\\\\" Back'])
    assert {folder.name: folder.delimiter for folder in folders if folder.name != "INBOX"} == {
        "Flat": "",
        "Dotted": ".",
        "Back": "\\",
    }


def test_folders_that_only_hold_folders_are_not_selectable() -> None:
    folders = read(*[b'(\\Noselect) "/" "[Gmail]"', b'(\\nonexistent) "/" Gone', b'() "/" There'])
    assert {folder.name for folder in folders if folder.selectable} == {"INBOX", "There"}


def test_special_use_flags_give_the_roles() -> None:
    assert roles(
        b'() "/" INBOX',
        b'(\\HasNoChildren \\All) "/" "[Gmail]/Alle Nachrichten"',
        b'(\\SENT) "/" "[Gmail]/Gesendet"',
        b'() "/" Trash',
    ) == {
        "INBOX": FolderRole.INBOX,
        "[Gmail]/Alle Nachrichten": FolderRole.ALL,
        "[Gmail]/Gesendet": FolderRole.SENT,
        "Trash": FolderRole.TRASH,  # flagged by nobody, so the name counts
    }


def test_without_flags_well_known_names_give_the_roles_once_each() -> None:
    assert roles(
        b'() "." INBOX', b'() "." "INBOX.Gesendete Objekte"', b'() "." INBOX.Sent', b'() "." Papierkorb', b'() "." Foo'
    ) == {
        "INBOX": FolderRole.INBOX,
        "INBOX.Gesendete Objekte": FolderRole.SENT,
        "INBOX.Sent": FolderRole.OTHER,
        "Papierkorb": FolderRole.TRASH,
        "Foo": FolderRole.OTHER,
    }


def test_a_folder_that_makes_no_sense_hides_no_other() -> None:
    names = roles(
        b"nonsense",
        b'() "/"',
        b'() "/" ""',
        b'() "/" "&bad"',
        b'() "/" "&2AA-"',  # half a surrogate pair
        b'() "/" "B\xc3\xbcro"',  # not UTF-7, so it could not be opened under the name we'd show
        (b'() "/" {4}', b"a\r\nb"),
        b'() "/" "a&AAk-b"',  # a tab, which would not be sent back
        b'() "/" "&' + b"ThBOEE4Q" * 120 + b'-"',  # 360 characters, but longer than an index takes
        b'() "/" "' + b"x" * 5000 + b'"',
        b'() "/" Good',
    )
    assert set(names) == {"INBOX", "Good"}
