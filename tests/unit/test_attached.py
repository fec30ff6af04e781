"""Attachments while they come in: their transfer encoding, and whether they are pictures."""

from __future__ import annotations

import binascii
from base64 import encodebytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailaccounts.mail.decoding import decoded
from mailaccounts.mail.pictures import picture_type, pictures_in, show_pictures
from mailaccounts.mail.sanitize import clean_html


def in_pieces(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


@given(st.binary(max_size=2000), st.integers(1, 100))
def test_base64_comes_out_whole_wherever_it_is_cut(data: bytes, size: int) -> None:
    assert b"".join(decoded(in_pieces(encodebytes(data), size), "base64")) == data


@given(st.binary(max_size=2000), st.integers(1, 100))
def test_quoted_printable_comes_out_whole_wherever_it_is_cut(data: bytes, size: int) -> None:
    encoded = binascii.b2a_qp(data, istext=False)
    assert b"".join(decoded(in_pieces(encoded, size), "quoted-printable")) == data


def test_a_line_without_end_is_not_waited_for() -> None:
    data = b"=C3=BC" * 50_000
    pieces = list(decoded(in_pieces(data, 1000), "quoted-printable"))
    assert b"".join(pieces).decode() == "ü" * 50_000
    assert max(map(len, pieces)) < 70_000


@given(st.lists(st.binary()), st.sampled_from(["base64", "quoted-printable", "7bit", "x-uuencode", ""]))
def test_nothing_that_anybody_attaches_raises(pieces: list[bytes], encoding: str) -> None:
    list(decoded(pieces, encoding))


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"\x89PNG\r\n\x1a\n...", "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"GIF89a", "image/gif"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"),
        (b"<svg onload=alert(1)>", ""),
        (b"<html>\x89PNG\r\n\x1a\n", ""),
        (b"RIFF\0\0\0\0AVI ", ""),
        (b"%PDF-1.7", ""),
        (b"", ""),
    ],
)
def test_a_picture_is_known_by_its_bytes(content: bytes, kind: str) -> None:
    assert picture_type(content) == kind


def test_pictures_are_shown_from_where_they_are_told_and_from_nowhere_else() -> None:
    html = clean_html('<p title="<img src=x>"><img src="cid:a"><img src="https://x.test/b"><img alt=c></p>')
    assert pictures_in(html) == ["cid:a", "https://x.test/b", ""]
    shown = show_pictures(html, ["/one/", "", "/three/"])
    assert pictures_in(shown) == pictures_in(html)
    assert '<img src="/one/" data-src="cid:a">' in shown and '<img data-src="https://x.test/b">' in shown
    assert show_pictures(html, []) == html
