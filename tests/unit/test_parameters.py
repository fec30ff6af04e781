"""Parameters of header values: written plainly, oddly and badly."""

from __future__ import annotations

import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mailaccounts.mail.parameters import Parameters, read_at_length


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("multipart/mixed; boundary=b", "b"),
        ('Multipart/Mixed; charset=utf-8; Boundary="b c;d"', "b c;d"),
        ('multipart/mixed; boundary="b"c"', 'b"c'),
        (r'multipart/mixed; boundary="b\"c"', 'b"c'),
        ("multipart/mixed; boundary*=utf-8''%C3%B6", "ö"),
        ("multipart/mixed; boundary*0=b; boundary*1=c", "bc"),
        ("multipart/mixed;; boundary=b;", "b"),
        ("multipart/mixed; boundary=b=c", "b=c"),
        ("multipart/mixed; boundary", ""),
        ("multipart/mixed", ""),
        ("", ""),
    ],
)
def test_a_parameter_is_read_however_it_is_written(text: str, found: str) -> None:
    assert Parameters(text).get("boundary") == found


PIECES = st.sampled_from(
    [
        *"\"\\;=*'<> \t%\0",
        "name",
        "Name",
        "a",
        "=b",
        '="b c"',
        "; name=x",
        "; a=1",
        "name*0",
        "utf-8''",
        "text/plain",
        "ö",
    ]
)


@settings(max_examples=500, deadline=None, derandomize=True)
@example(["text/plain", '; name="x', "; a=1"])
@example(["; name=x", "; name=a", ";"])
@given(st.lists(PIECES, max_size=12))
def test_what_is_written_plainly_is_read_as_it_is_at_length(pieces: list[str]) -> None:
    text = "text/plain; " + "".join(pieces)
    for name in ("name", "a"):
        assert Parameters(text).get(name) == read_at_length(text, name)


@pytest.mark.parametrize("piece", [";", '"', "=", ";a=", ';a="', ";a=b", "\\", " ", ";name*0=a", '";'])
def test_no_value_takes_long(piece: str) -> None:
    started = time.process_time()
    Parameters("text/plain" + piece * (200_000 // len(piece))).get("name")
    assert time.process_time() - started < 5
