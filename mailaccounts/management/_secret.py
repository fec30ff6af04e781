"""Where a command gets a secret from: never its command line, which every user of the machine may read."""

from __future__ import annotations

import sys
from getpass import getpass
from pathlib import Path

from mailaccounts.errors import InvalidInput
from mailaccounts.management._output import usage_error

MAX_SECRET_BYTES = 64 * 1024


def read_secret(source: str | None, *, label: str) -> str:
    """The first line's content: editors and ``echo`` end a file with a newline that isn't part of a password."""
    if source is None:
        if not sys.stdin.isatty():
            raise usage_error("Give the secret with --secret-file FILE, or --secret-file - to read it from stdin.")
        return getpass(f"{label}: ")
    try:
        raw = (
            sys.stdin.buffer.read(MAX_SECRET_BYTES) if source == "-" else Path(source).read_bytes()[:MAX_SECRET_BYTES]
        )
        text = raw.decode()
    except OSError as error:
        raise usage_error(f"{source} can't be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InvalidInput(what="The secret") from None
    return text.removesuffix("\n").removesuffix("\r")
