"""Secrets don't survive the way into a log."""

from __future__ import annotations

import base64
import io
import logging
import sys
import time

import pytest

from mailaccounts.redact import RedactingFilter, clean, scrub

TOKEN = "eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhbm5hIn0.c2lnbmF0dXJl"
OPAQUE = "M.C5_BAY.0.U.-Cx!mQ9~opaque*refresh"
PASSWORD = "correct horse battery"
XOAUTH2 = base64.b64encode(b"user=anna@example.org\1auth=Bearer abcdefghijk\1\1").decode()
PLAIN = base64.b64encode(b"\0anna\0" + PASSWORD.encode()).decode()


@pytest.mark.parametrize(
    ("line", "secret"),
    [
        (f"Authorization: Bearer {TOKEN}", TOKEN),
        ("auth=Bearer abcdefghijk\1\1", "abcdefghijk"),
        ("Authorization: Basic dXNlcjpwYXNz", "dXNlcjpwYXNz"),
        (f"A001 AUTHENTICATE XOAUTH2 {XOAUTH2}", XOAUTH2),
        (f"AUTH PLAIN {PLAIN}", PLAIN),
        (f"b'{XOAUTH2}'", XOAUTH2),
        (f'A7 LOGIN "anna@example.org" "{PASSWORD}"', PASSWORD),
        ("A7 LOGIN anna hunter22", "hunter22"),
        (f'{{"refresh_token": "{OPAQUE}", "expires_in": 3600}}', OPAQUE),
        (f"{{'access_token': '{OPAQUE}'}}", OPAQUE),
        (f"login(username='anna', password='{PASSWORD}')", PASSWORD),
        (f"login(password=b'{PASSWORD}')", PASSWORD),
        ("grant_type=refresh_token&refresh_token=0.AXkA&client_secret=S3cr~t", "0.AXkA"),
        ("grant_type=refresh_token&refresh_token=0.AXkA&client_secret=S3cr~t", "S3cr~t"),
        ("GET /oauth/microsoft/callback/?code=0.AXkA-code&state=xyzzy HTTP/1.1", "0.AXkA-code"),
        ("GET /oauth/microsoft/callback/?code=0.AXkA-code&state=xyzzy HTTP/1.1", "xyzzy"),
        ("connecting to redis://:hunter22@127.0.0.1:6379/0", "hunter22"),
        ("postgres://crm:hunter22@db/crm", "hunter22"),
        (f"id token {TOKEN} refused", TOKEN),
    ],
)
def test_a_secret_is_taken_out(line: str, secret: str) -> None:
    assert secret in line
    assert secret not in scrub(line)
    assert "…" in scrub(line)


@pytest.mark.parametrize(
    "line",
    [
        "imap.example.org refused the sign-in (password_rejected)",
        'HTTP/1.1" 200 1534',
        '{"code": "grant_revoked", "remedy": "reconnect"}',
        "synced anna@example.org: 3 folders, 12 examined, status_code=200",
        "LOGIN is disabled by the server",
        "https://login.example.org:8443/tenant/v2.0",
        "the server offers AUTH PLAIN and LOGIN",
    ],
)
def test_ordinary_lines_stay_as_they_are(line: str) -> None:
    assert scrub(line) == line


@pytest.fixture
def logged() -> tuple[logging.Logger, io.StringIO]:
    """A logger with the filter on its one handler, and what that handler wrote."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.addFilter(RedactingFilter())
    logger = logging.getLogger("tests.redact")
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    logger.handlers = [handler]
    return logger, written


def test_arguments_are_scrubbed(logged: tuple[logging.Logger, io.StringIO]) -> None:
    logger, written = logged
    logger.debug("answer: %s", {"refresh_token": OPAQUE, "expires_in": 1})
    assert OPAQUE not in written.getvalue()
    assert "'expires_in': 1" in written.getvalue()


def test_addresses_go_too_whoever_says_them(logged: tuple[logging.Logger, io.StringIO]) -> None:
    logger, written = logged
    try:
        raise ValueError("no mailbox of zoe@example.org")
    except ValueError:
        logger.exception(
            "%s answered SELECT with NO: %r", "imap.example.org", "<anna.smith+crm@bücher.example>: no such user"
        )
    assert not any(each in written.getvalue() for each in ("anna", "bücher", "zoe", "@"))
    assert "imap.example.org answered SELECT with NO: '<…>: no such user'" in written.getvalue()


@pytest.mark.parametrize("word", ["a", "eyJ", "eyJ-", "secret", "a@", "://", "://b:", 'x="', "AUTH ", " LOGIN "])
def test_a_line_of_any_length_is_cleaned_at_once(word: str) -> None:
    """Anybody can have a path of this length logged."""
    began = time.monotonic()
    clean(word * (200_000 // len(word)))
    assert time.monotonic() - began < 10


def test_a_traceback_and_its_causes_are_scrubbed(logged: tuple[logging.Logger, io.StringIO]) -> None:
    logger, written = logged
    try:
        try:
            raise ValueError(f"bad form: client_secret={OPAQUE}")
        except ValueError as error:
            raise RuntimeError(f"Bearer {TOKEN}") from error
    except RuntimeError:
        logger.exception("failed")
    assert "Traceback" in written.getvalue()
    assert "RuntimeError" in written.getvalue()
    assert OPAQUE not in written.getvalue()
    assert TOKEN not in written.getvalue()


def test_a_stack_is_scrubbed(logged: tuple[logging.Logger, io.StringIO]) -> None:
    logger, written = logged
    logger.warning("here password='abcdefg'", stack_info=True)
    assert "abcdefg" not in written.getvalue()


def test_a_message_whose_arguments_do_not_fit_prints_none_of_them(
    logged: tuple[logging.Logger, io.StringIO], capsys: pytest.CaptureFixture[str]
) -> None:
    logger, written = logged
    logger.warning("one %s two %s", PASSWORD)
    assert "arguments don't fit" in written.getvalue()
    assert PASSWORD not in written.getvalue() + capsys.readouterr().err


def test_an_argument_that_can_not_be_printed_stops_nobody(logged: tuple[logging.Logger, io.StringIO]) -> None:
    class Unprintable:
        def __str__(self) -> str:
            raise RuntimeError("no")

    logger, printed = logged
    logger.info("about %s", Unprintable())
    assert "about %s" in printed.getvalue()


def test_a_later_handler_sees_no_raw_exception(logged: tuple[logging.Logger, io.StringIO]) -> None:
    logger, _ = logged
    later = io.StringIO()
    logger.addHandler(logging.StreamHandler(later))
    try:
        raise ValueError(f"password='{PASSWORD}'")
    except ValueError:
        logger.error("failed", exc_info=sys.exc_info())
    assert "failed" in later.getvalue()
    assert PASSWORD not in later.getvalue()
