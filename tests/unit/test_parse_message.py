"""Whole messages, well-formed and otherwise."""

from __future__ import annotations

import base64
import random
import time
from email.message import EmailMessage

import pytest

from mailaccounts.mail.mime import MAX_PARTS, MAX_TEXT
from mailaccounts.mail.parse import AttachmentInfo, parse_message


def part(content_type: str, body: bytes, *fields: str) -> bytes:
    head = "\r\n".join([f"Content-Type: {content_type}", *fields])
    return head.encode() + b"\r\n\r\n" + body


def multipart(*parts: bytes, kind: str = "mixed", boundary: str = "b", closed: bool = True) -> bytes:
    body = b"".join(b"--%s\r\n%s\r\n" % (boundary.encode(), each) for each in parts)
    return part(f'multipart/{kind}; boundary="{boundary}"', body + (b"--b--\r\nepilogue" if closed else b""))


def test_a_message_as_programs_write_it_is_read_as_they_meant_it() -> None:
    message = EmailMessage()
    message.set_content("Grüße\n")
    message.add_alternative("<p>Grüße</p>", subtype="html")
    message.add_attachment(b"%PDF" * 1000, maintype="application", subtype="pdf", filename="Angebot für Köln.pdf")
    content = parse_message(message.as_bytes())
    assert content.text == "Grüße\n"
    assert content.html == "<p>Grüße</p>\n"
    assert content.attachments == (
        AttachmentInfo(
            name="Angebot für Köln.pdf", content_type="application/pdf", size=4000, section="2", encoding="base64"
        ),
    )
    assert not content.truncated


def test_without_plain_text_the_text_comes_from_the_html() -> None:
    content = parse_message(part("text/html; charset=utf-8", b"<style>x</style><p>Hello <b>you</b></p>Bye<br>now"))
    assert content.text == "Hello you\nBye\nnow"


def test_text_parts_around_a_picture_are_one_text() -> None:
    content = parse_message(
        multipart(part("text/plain", b"above"), part("image/png", b"png"), part("text/plain", b"below"))
    )
    assert content.text == "above\nbelow"
    assert [(each.content_type, each.size) for each in content.attachments] == [("image/png", 3)]


def test_a_text_file_is_an_attachment() -> None:
    attached = part("text/plain; name=notes.txt", b"notes", "Content-Disposition: attachment")
    content = parse_message(multipart(part("text/plain", b"see notes"), attached))
    assert content.text == "see notes"
    assert content.attachments[0].name == "notes.txt"


def test_a_forwarded_message_is_an_attachment_and_not_this_messages_text() -> None:
    content = parse_message(multipart(part("text/plain", b"fyi"), part("message/rfc822", b"Subject: x\r\n\r\nsecret")))
    assert content.text == "fyi"
    assert content.attachments[0].content_type == "message/rfc822"


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        (["Content-Disposition: attachment; filename*=utf-8''Gr%C3%BC%C3%9Fe.pdf"], "Grüße.pdf"),
        (["Content-Disposition: attachment; filename*0=long-; filename*1=name.pdf"], "long-name.pdf"),
        (['Content-Disposition: attachment; filename="=?utf-8?q?Gr=C3=BC=C3=9Fe=2Epdf?="'], "Grüße.pdf"),
        (['Content-Disposition: attachment; filename="../../etc/pass\0wd"'], "passwd"),
        (["Content-Disposition: attachment; filename=C:\\temp\\x.pdf"], "x.pdf"),
        (["Content-Disposition: attachment; filename*99999999999999999999999=x"], "x"),
        (["Content-Disposition: attachment; filename*=idna''%ff"], "ÿ"),
        (["Content-Disposition: attachment"], ""),
    ],
)
def test_file_names_are_decoded_and_lose_their_path(fields: list[str], name: str) -> None:
    content = parse_message(multipart(part("application/pdf", b"x", *fields)))
    assert content.attachments[0].name == name


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (part("text/plain; charset=iso-8859-1", "Grüße".encode("latin-1")), "Grüße"),
        (part("text/plain; charset=us-ascii", "Grüße".encode()), "Grüße"),
        (part("text/plain; charset=klingon", "Grüße".encode("cp1252")), "Grüße"),
        (part("text/plain; charset=unicode_escape", rb"\u0041"), r"\u0041"),
        (part("text/plain", b"a\0b"), "ab"),
        (part("text/plain", base64.b64encode(b"Hello")[:-1] + b"!\r\n", "Content-Transfer-Encoding: base64"), "Hello"),
        (part("text/plain", b"SGVsbG8", "Content-Transfer-Encoding: BASE64"), "Hello"),
        (part("text/plain", b"a=3Db=\r\nc=ZZ", "Content-Transfer-Encoding: quoted-printable"), "a=bc=ZZ"),
        (part("text/plain", b"as it is", "Content-Transfer-Encoding: rot13"), "as it is"),
        (part("nonsense", b"still text"), "still text"),
        (part("multipart/mixed", b"no boundary"), "no boundary"),
        (part("multipart/mixed; boundary=b", b"--c\r\n\r\nanother boundary"), "--c\r\n\r\nanother boundary"),
        (b"\r\nno header", "no header"),
        (b"no header and no body", ""),
        (b"", ""),
    ],
)
def test_broken_mail_keeps_its_text(raw: bytes, text: str) -> None:
    assert parse_message(raw).text.replace("\n", "\r\n") == text.replace("\r\n", "\n").replace("\n", "\r\n")


def test_a_multipart_cut_off_in_the_middle_keeps_what_is_there() -> None:
    raw = multipart(part("text/plain", b"Hello"), part("text/html", b"<p>Hello</p>"), closed=False)
    content = parse_message(raw[: raw.index(b"Hello</p>")], truncated=True)
    assert content.text == "Hello"
    assert content.truncated


def test_a_boundary_within_a_line_is_text() -> None:
    content = parse_message(multipart(part("text/plain", b"see --b\r\n--bb\r\n--b x\r\nend")))
    assert content.text == "see --b\n--bb\n--b x\nend"


@pytest.mark.parametrize(
    "hostile",
    [
        b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (i, i) for i in range(2000)),
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\n" * 500_000,
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" * 100_000,
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b" * 3_000_000,
        b"Content-Type: text/plain" + b';a="' * 60_000,
        b"Content-Type: text/plain; " + b"; ".join(b"name*%d=a" % i for i in range(5000)) + b"\r\n\r\nx",
        part("text/html", b"<div>" * 200_000),
        part("text/html", b"<" * 500_000),
        part("text/html", b"<a><b>" * 100_000),
    ],
)
def test_hostile_messages_take_little_time_and_few_parts(hostile: bytes) -> None:
    started = time.process_time()
    content = parse_message(hostile)
    assert time.process_time() - started < 10
    assert len(content.attachments) <= MAX_PARTS


def test_text_has_an_end() -> None:
    content = parse_message(part("text/plain", b"x" * (3 * MAX_TEXT)))
    assert len(content.text) == MAX_TEXT


def test_any_bytes_at_all_are_read_without_an_error() -> None:
    chance = random.Random(2046)  # noqa: S311 - repeatable, not secret
    pieces = [
        *(b"Content-Type: ", b"multipart/mixed", b"multipart/alternative", b"text/plain", b"text/html"),
        *(b"message/rfc822", b"; boundary=", b'"', b"b", b"--b", b"--b--", b"\r\n", b"\r\n\r\n", b"\n", b" ", b"\t"),
        *(b"; charset=", b"utf-8", b"utf-7", b"punycode", b"Content-Transfer-Encoding: ", b"base64"),
        *(b"quoted-printable", b"Content-Disposition: attachment", b"; filename*=", b"''", b"%ff", b"=?x?b?", b"?="),
        *(b"\0", b"\xff", b"<p>", b"</p>", b"=3D", b"QUJD"),
    ]
    for _ in range(3000):
        content = parse_message(b"".join(chance.choices(pieces, k=chance.randrange(60))))
        repr(content).encode()
        assert "\0" not in content.text + content.html


def test_pictures_of_the_text_and_invitations_are_known_for_what_they_are() -> None:
    message = EmailMessage()
    message.set_content("Shall we meet?")
    message.add_alternative('<p>Shall we meet? <img src="cid:logo%25x"></p>', subtype="html")
    message.get_payload()[1].add_related(b"\x89PNG", maintype="image", subtype="png", cid="<logo%x>")
    message.add_alternative("BEGIN:VCALENDAR\nEND:VCALENDAR\n", subtype="calendar", params={"method": "REQUEST"})
    message.add_attachment(b"\x89PNG", maintype="image", subtype="png", filename="photo.png", cid="<photo@x>")
    content = parse_message(message.as_bytes())
    assert content.html == '<p>Shall we meet? <img data-src="cid:logo%25x"></p>\n'
    assert content.calendar == "BEGIN:VCALENDAR\nEND:VCALENDAR\n"
    assert [(each.section, each.content_id, each.inline) for each in content.attachments] == [
        ("1.2.2", "logo%x", True),
        ("1.3", "", False),
        ("2", "photo@x", False),
    ]
