"""What a message is made of, as servers tell it: well, oddly and badly."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailaccounts.mail.imap_fetch import Fetch
from mailaccounts.mail.imap_responses import MAX_ANSWER, UnreadableAnswer, read_fetch
from mailaccounts.mail.mime import MAX_PARTS
from mailaccounts.mail.structure import MAX_STRUCTURE, Leaf, UnreadableStructure, read_structure

TEXT = b'("text" "plain" ("charset" "utf-8") NIL NIL "7bit" 5 1)'
PAGE = b'("TEXT" "HTML" ("CHARSET" "iso-8859-1") NIL NIL "QUOTED-PRINTABLE" 50 3 NIL NIL NIL NIL)'
PDF = (
    b'("application" "pdf" ("name" "a.pdf") NIL NIL "base64" 156 NIL ("attachment" ("filename" "offer \\"1\\".pdf"))'
    b" NIL NIL)"
)
FORWARDED = (
    b'("message" "rfc822" NIL NIL NIL "7bit" 900 ("d" "s" NIL NIL NIL NIL NIL NIL NIL NIL) '
    + TEXT
    + b' 20 NIL ("attachment" ("filename" "x.eml")) NIL NIL)'
)


def sections(text: bytes) -> list[tuple[str, str]]:
    return [(leaf.section, leaf.content_type) for leaf in read_structure(text)]


def test_a_message_of_one_part_is_section_1() -> None:
    assert read_structure(TEXT) == (
        Leaf(
            section="1",
            content_type="text/plain",
            charset="utf-8",
            encoding="7bit",
            filename="",
            content_id="",
            is_body=True,
            octets=5,
        ),
    )


def test_parts_are_numbered_within_parts_and_a_forwarded_message_is_one() -> None:
    inner = b"(" + TEXT + PAGE + b'"alternative" ("boundary" "x") NIL NIL NIL)'
    whole = b"(" + inner + PDF + b" " + FORWARDED + b' "mixed" ("boundary" "y") NIL NIL NIL)'
    assert sections(whole) == [
        ("1.1", "text/plain"),
        ("1.2", "text/html"),
        ("2", "application/pdf"),
        ("3", "message/rfc822"),
    ]
    text, page, pdf, forwarded = read_structure(whole)
    assert text.is_body and page.is_body and not pdf.is_body and not forwarded.is_body
    assert (page.charset, page.encoding, page.octets) == ("iso-8859-1", "quoted-printable", 50)
    assert (pdf.filename, pdf.octets, pdf.size) == ('offer "1".pdf', 156, 114)
    assert (forwarded.filename, forwarded.size) == ("x.eml", 900)


@pytest.mark.parametrize(
    ("parameters", "name"),
    [
        (b'("name" "a.pdf")', "a.pdf"),
        (b'("NAME" "=?utf-8?q?Gr=C3=BC=C3=9Fe=2Epdf?=")', "Grüße.pdf"),
        (b'("name*" "utf-8\'\'Gr%C3%BC%C3%9Fe.pdf")', "Grüße.pdf"),
        (b'("name*0" "long-" "name*1" "name.pdf")', "long-name.pdf"),
        (b'("name" "../../etc/passwd")', "passwd"),
        (b'("charset" "utf-8")', ""),
        (b'("name")', ""),
        (b'("name" NIL)', ""),
        (b"NIL", ""),
        (b"()", ""),
    ],
)
def test_names_are_decoded_and_lose_their_path(parameters: bytes, name: str) -> None:
    (leaf,) = read_structure(b'("application" "pdf" ' + parameters + b' NIL NIL "base64" 4)')
    assert leaf.filename == name


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"NIL",
        b"()",
        b"(()",
        b"())",
        b"text",
        b'("text")',
        b'("text" "plain" NIL NIL NIL "7bit" many 1)',
        b'("text" "plain" NIL NIL NIL "7bit" NIL 1)',
        b'("text" "plain" NIL NIL NIL "7bit" %s 1)' % (b"9" * 30),
        b'(("text") "mixed")',
        b'("te" ("xt") NIL NIL NIL "7bit" 5 1)',
        b"(" * 60_000,
        b"(" * 60_000 + b")" * 60_000,
        b"(" * 50 + TEXT + b'"mixed")' * 50,
        b"(" + TEXT * (MAX_PARTS + 1) + b'"mixed")',
        b"x" * (MAX_STRUCTURE + 1),
    ],
    ids=lambda text: text[:20].decode(),
)
def test_what_cannot_be_understood_says_so_and_soon(text: bytes) -> None:
    started = time.process_time()
    with pytest.raises(UnreadableStructure):
        read_structure(text)
    assert time.process_time() - started < 5


PIECES = st.sampled_from(
    [b"(", b")", b'"', b'"text"', b'"plain"', b"NIL", b"5", b" ", b"\\", b"{3}", b"\xff", b"\0", TEXT, PAGE, PDF]
)


@settings(max_examples=500, deadline=None, derandomize=True)
@given(st.lists(PIECES, max_size=30))
def test_whatever_a_server_says_is_a_structure_or_unreadable(pieces: list[bytes]) -> None:
    try:
        leaves = read_structure(b"(" + b"".join(pieces) + b")")
    except UnreadableStructure:
        return
    assert len(leaves) <= 30
    repr(leaves).encode()


class Recorded:
    """What a server said, ready to be read."""

    def __init__(self, *lines: bytes) -> None:
        self._data, self._at = b"".join(lines), 0

    def readline(self) -> bytes:
        return self.read(self._data.index(b"\n", self._at) + 1 - self._at)

    def read(self, size: int) -> bytes:
        self._at += size
        return self._data[self._at - size : self._at]


def test_a_structure_with_literals_is_read_like_one_with_strings() -> None:
    wire = Recorded(b'"pdf" ("name" {5}\r\n', b'a".pd', b') NIL NIL "base64" 4))\r\n')
    first = b'* 1 FETCH (UID 7 BODYSTRUCTURE ("application" ' + wire.readline()
    attributes = read_fetch(wire, first)
    assert attributes is not None
    assert read_structure(attributes[b"BODYSTRUCTURE"] or b"")[0].filename == 'a".pd'


def test_a_structure_too_long_to_be_looked_at_is_the_fault_of_its_message_and_not_of_the_server() -> None:
    long = b"* 1 FETCH (UID 7 BODYSTRUCTURE (" + TEXT * (MAX_ANSWER // len(TEXT) + 1) + b'"mixed"))\r\n'
    rest = b'"x" {5}\r\nabcde' * 30_000 + b"))\r\n"  # literals
    assert read_fetch(Recorded(), long) == {b"UID": b"7"}
    wire = Recorded(rest, b"W1 OK done\r\n")
    assert read_fetch(wire, b"* 1 FETCH (UID 7 BODYSTRUCTURE (" + wire.readline()) == {b"UID": b"7"}
    assert wire.readline() == b"W1 OK done\r\n"  # the next answer begins where it ended
    with pytest.raises(UnreadableAnswer):
        read_fetch(Recorded(), long.replace(b"BODYSTRUCTURE", b"SOMETHING"))


def test_what_is_kept_of_a_structure_is_counted() -> None:
    command = Fetch([7], "(UID BODYSTRUCTURE)", most_octets=MAX_STRUCTURE)
    command.keep(7, {b"UID": b"7", b"BODYSTRUCTURE": b"x" * 10_000})
    assert command.kept >= 10_000
