"""Mail as it should never be, by the dozen: what broken programs and people of ill will have sent, put down as code.

Every message has CONTACT in its From and a Message-ID of its own, so that it is to be stored; ``says`` are words that
have to be readable then. CPython's own test mail is here as well, where the interpreter has it.
"""

from __future__ import annotations

import importlib.util
from base64 import b64encode
from dataclasses import dataclass, field
from pathlib import Path

from tests.letters import CONTACT


@dataclass(frozen=True, slots=True, kw_only=True)
class Poison:
    """``message_id`` is "" where no reader could tell it."""

    name: str
    raw: bytes = field(repr=False)
    says: str = "readable"
    message_id: str = ""


def _lines(*lines: bytes) -> bytes:
    return b"\r\n".join(lines)


def _mail(name: str, *header: bytes, body: bytes = b"readable", says: str = "readable") -> Poison:
    """A message with ``header`` beside what it needs to be stored."""
    message_id = f"{name.replace(' ', '-')}@poison.test"
    head = (f"From: Maria <{CONTACT}>".encode(), f"Message-ID: <{message_id}>".encode(), *header)
    return Poison(name=name, raw=_lines(*head) + b"\r\n\r\n" + body + b"\r\n", says=says, message_id=message_id)


def _part(content_type: bytes, body: bytes = b"readable", *header: bytes) -> bytes:
    return _lines(b"Content-Type: " + content_type, *header) + b"\r\n\r\n" + body


def _multi(
    name: str, *parts: bytes, boundary: bytes = b"b", end: bytes = b"--b--\r\n", says: str = "readable"
) -> Poison:
    body = b"".join(b"--b\r\n" + part + b"\r\n" for part in parts) + end
    return _mail(name, b'Content-Type: multipart/mixed; boundary="%s"' % boundary, body=body, says=says)


TEXT = _part(b"text/plain")
BASE64 = b"Content-Transfer-Encoding: base64"
QUOTED = b"Content-Transfer-Encoding: quoted-printable"
HTML = b"Content-Type: text/html; charset=utf-8"
MANY = 5_000


def _nested(depth: int) -> bytes:
    opening = (
        b"Content-Type: multipart/mixed; boundary=n%d\r\n\r\n--n%d\r\n" % (level, level) for level in range(depth)
    )
    return b"".join(opening) + TEXT


HEADERS = (
    _mail("bare subject bytes", b"Subject: \xff\xfe\x80\x81"),
    _mail("utf-8 subject", "Subject: größer".encode()),
    _mail("half an encoded word", b"Subject: =?utf-8?B?R3LDvMOf"),
    _mail("encoded word of no charset", b"Subject: =??Q?a?= =?x-nowhere?B?!!!?="),
    _mail("encoded words by the thousand", b"Subject: " + b"=?utf-8?q?a?= " * MANY),
    _mail("encoded word that breaks a line", b"Subject: =?utf-8?q?a=0D=0ABcc:_x=40y.test?="),
    _mail("encoded word that splits a character", b"Subject: =?utf-8?q?=C3?= =?utf-8?q?=BC?= =?utf-8?q?=F0?="),
    _mail("control characters", b"Subject: a\x01\x02\x1b[31mb\x7f"),
    _mail("no subject", b"Subject:"),
    _mail("endless subject", b"Subject: " + b"x" * 200_000),
    _mail("folded for ever", b"Subject: a" + b"\r\n b" * MANY),
    _mail("impossible date", b"Date: Fri, 31 Feb 2025 25:61:61 +9999"),
    _mail("date of digits", b"Date: " + b"9" * 3_000),
    _mail("date before the flood", b"Date: 1 Jan 0001 00:00:00 -2359"),
    _mail("two of each", b"Subject: a", b"Subject: b", b"Date: now", b"Date: then", b"To: a@x.test", b"To: b@x.test"),
    _mail("address list of commas", b"To: " + b",;:<>" * MANY),
    _mail("address list without end", b"To: " + b", ".join(b"a%d@x.test" % number for number in range(MANY))),
    _mail("comments in comments", b"To: " + b"(" * MANY + b"a@x.test" + b")" * 10),
    _mail("quote without end", b'To: "Jo, a@x.test, b@x.test'),
    _mail("groups in groups", b"To: A: B: C: a@x.test;;; undisclosed-recipients:;"),
    _mail("address with a nul", b"Cc: a\\0@x.test, =?utf-8?q?a=00=40x=2Etest?="),
    _mail("address in bytes", b"Cc: \xf6\xe4@\xfc.test, \xe6\x97\xa5@\xe6\x9c\xac.test"),
    _mail("address longer than a column", b"Cc: " + b"a" * 400 + b"@" + b"b" * 400 + b".test"),
    _mail("references for ever", b"References: " + b"<r@x> " * MANY),
    _mail("references to people", b"In-Reply-To: Your message of Monday from Jo <jo@x.test>"),
    _mail("message ids of all kinds", b"References: <> <<a>> <b c> no-brackets@x <" + b"d" * 600 + b"@x>"),
    _mail("references in a circle", b"References: <references-in-a-circle@poison.test> <circle-2@poison.test>"),
    _mail("circle 2", b"In-Reply-To: <references-in-a-circle@poison.test>"),
    _mail("names that turn around", "Subject: \u202egnp.exe\u2066\u2069 =?utf-8?q?=E2=80=AEtfel?=".encode()),
    _mail("fields without names", b": nameless", b"no colon here", b" : blank", b"\xff\xff: bytes"),
    _mail("fields by the thousand", *(b"X-%d: y" % number for number in range(10_000))),
    _mail("name with blanks", b"Subject : spaced", b"Content-Type : text/plain"),
    _mail("mbox line within", b">From somebody Mon Jan 1", b"From somebody@x.test Mon Jan 1 00:00:00 2024"),
)

PARTS = (
    _mail("multipart without boundary", b"Content-Type: multipart/mixed"),
    _mail("multipart of another boundary", b"Content-Type: multipart/mixed; boundary=b", body=b"--c\r\n\r\nreadable"),
    _mail("multipart of nothing", b"Content-Type: multipart/mixed; boundary=b", body=b"", says=""),
    _mail("boundary of nothing", b'Content-Type: multipart/mixed; boundary=""', body=b"--\r\n\r\nreadable\r\n----"),
    _mail("boundary in rfc 2231", b"Content-Type: multipart/mixed; boundary*=us-ascii''b", body=b"--b\r\n" + TEXT),
    _mail("boundary in pieces", b"Content-Type: multipart/mixed; boundary*0=b; boundary*1=c", body=b"--bc\r\n" + TEXT),
    _mail("boundary in bytes", b'Content-Type: multipart/mixed; boundary="\xff\xfe"', body=b"--\xff\xfe\r\n" + TEXT),
    _mail("boundary that is long", b"Content-Type: multipart/mixed; boundary=" + b"b" * 5_000),
    _multi("never closed", TEXT, end=b""),
    _multi("cut off in a header", TEXT, b"Content-Type: text/ht", end=b""),
    _multi("closed at once", end=b"--b--\r\n" + TEXT, says=""),
    _multi("text after the end", TEXT, end=b"--b--\r\nepilogue\r\n--b\r\n\r\nnot a part\r\n"),
    _multi("the same boundary within", b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" + TEXT),
    _multi("parts without headers", b"\r\nreadable", b"no header at all", b""),
    _multi("parts by the thousand", *[TEXT] * MANY),
    _multi("empty parts by the thousand", *[b""] * MANY, says=""),
    _multi("types of all kinds", _part(b"text"), _part(b"/"), _part(b"a/b/c"), _part(b"\xff/\xfe"), _part(b";;;")),
    _multi(
        "alternative of one", b"Content-Type: multipart/alternative; boundary=c\r\n\r\n--c\r\n" + TEXT + b"\r\n--c--"
    ),
    Poison(
        name="nested",
        raw=_lines(f"From: Maria <{CONTACT}>".encode(), b"Message-ID: <nested@poison.test>", b"") + _nested(1_000),
        says="",
        message_id="nested@poison.test",
    ),
    _multi("a message in a message", _part(b"message/rfc822", b"Subject: x\r\n\r\nhidden"), TEXT),
    _multi(
        "a message in itself", _part(b"message/rfc822", b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b"), TEXT
    ),
    _multi("a meeting that never ends", _part(b"text/calendar", b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\n" * MANY), TEXT),
    _multi("a meeting of nothing", _part(b"text/calendar; method=REQUEST", b"DTSTART:99999999T999999Z"), TEXT),
    _multi("a bomb to unpack", _part(b'application/zip; name="42.zip"', b"UEsDBA" * MANY, BASE64), TEXT),
    _multi("a message in pieces", _part(b'message/partial; id="x"; number=1; total=9'), TEXT),
    _multi("elsewhere", _part(b'message/external-body; access-type=local-file; name="/etc/passwd"'), TEXT),
    _multi("a report", _part(b"message/delivery-status", b"Status: 5.1.1\r\n\r\nFinal-Recipient: x"), TEXT),
)

NAMES = (
    _multi("name with a path", _part(b'application/pdf; name="../../../etc/passwd"'), TEXT),
    _multi("name with a nul", _part(b"application/pdf; name=a\\0b.pdf"), TEXT),
    _multi("name that turns around", _part('application/pdf; name="\u202efdp.exe"'.encode()), TEXT),
    _multi("name without end", _part(b'application/pdf; name="' + b"n" * 10_000), TEXT),
    _multi("name in pieces without end", _part(b"x/y; " + b"; ".join(b"name*%d=a" % n for n in range(MANY))), TEXT),
    _multi("name of piece minus one", _part(b"x/y; name*-1=a; name*99999999999999999999=b; name*x=c"), TEXT),
    _multi("name in a charset of no text", _part(b"x/y; name*=idna''%ff; filename*=rot13''abc"), TEXT),
    _multi("parameters of quotes", _part(b"x/y" + b';a="' * MANY), TEXT),
    _multi(
        "two dispositions",
        _part(b"x/y", b"z", b"Content-Disposition: inline", b"Content-Disposition: attachment"),
        TEXT,
    ),
)

ENCODINGS = (
    _mail("base64 with rubbish", BASE64, body=b"cmVh\r\n*!ZGFi\r\n\xffbGU="),
    _mail("base64 one digit short", BASE64, body=b64encode(b"readable")[:-1]),
    _mail("base64 of one digit", BASE64, body=b"c", says=""),
    _mail("base64 that ends in the middle", BASE64, body=b64encode(b"readable!") + b"=\r\nbW9yZQ=="),
    _mail("base64 that isn't", BASE64, body=b"readable, in spite of what is said", says=""),
    _mail("quoted-printable that isn't", QUOTED, body=b"readable =ZZ = =\r\n=4"),
    _mail("quoted-printable nul", QUOTED, body=b"read=00able"),
    _mail("quoted-printable of equals signs", QUOTED, body=b"=" * 100_000, says=""),
    _mail("uuencoded", b"Content-Transfer-Encoding: x-uuencode", body=b"begin 644 a\r\nreadable\r\nend"),
    _mail("encoding of no kind", b"Content-Transfer-Encoding: \xff; x=y"),
    _mail("encoding of a multipart", BASE64, b"Content-Type: multipart/mixed; boundary=b", body=b"--b\r\n" + TEXT),
    _mail("bytes without a charset", body=b"readable \xff\xfe \xc3\xb6"),
    _mail("line without end", body=b"readable " + b"x" * 1_000_000),
    _mail("lines of line feeds", body=b"\n" * 300_000 + b"readable"),
    _mail("carriage returns alone", body=b"a\rreadable\rb\r\r"),
)

CHARSETS = (
    *(
        _mail(f"charset {number}", b"Content-Type: text/plain; charset=" + charset, body=b"readable \x80\xff=")
        for number, charset in enumerate(
            (
                *(b"x-unknown", b"unicode_escape", b"idna", b"punycode", b"rot13", b"base64", b"zlib", b"undefined"),
                *(b"us-ascii", b"utf-7", b"hz", b"iso-2022-jp", b"\xff\xfe", b'""', b"utf-8;utf-16", b"x" * 5_000),
            )
        )
    ),
    _mail("utf-16 of odd length", b"Content-Type: text/plain; charset=utf-16", body=b"\xff\xfea\0b\0c\0\xd8", says=""),
    _mail("surrogates in utf-8", b"Content-Type: text/plain; charset=utf-8", body=b"readable \xed\xa0\x80"),
)

PAGES = (
    _mail("html of tags", HTML, body=b"readable" + b"<div>" * 100_000),
    _mail("html of formatting", HTML, body=b"readable" + b"<b><i><a href=x>" * 20_000),
    _mail("html of angles", HTML, body=b"readable " + b"<" * 300_000),
    _mail("html cut off in a tag", HTML, body=b"<p>readable<img src='http://x"),
    _mail("html with a script", HTML, body=b"<p>readable</p><script>alert(1)</script><svg><style><img onerror=x>"),
    _mail("html of entities", HTML, body=b"readable" + b"&#x0;&#xD800;&#1114112;&bogus;" * 1_000),
    _mail("html in a comment", HTML, body=b"readable<!-- " + b"<!--" * MANY),
    _mail("html of tables", HTML, body=b"readable" + b"<table><tr><td>" * 30_000),
)

POISON = (*HEADERS, *PARTS, *NAMES, *ENCODINGS, *CHARSETS, *PAGES)


def cpython_mail() -> dict[str, bytes]:
    """The messages of CPython's tests of its ``email`` package by file name; none where Python came without them."""
    if importlib.util.find_spec("test") is None or (spec := importlib.util.find_spec("test.test_email")) is None:
        return {}
    directories = [Path(place) / "data" for place in spec.submodule_search_locations or []]
    return {path.name: path.read_bytes() for place in directories for path in sorted(place.glob("msg_*.txt"))}
