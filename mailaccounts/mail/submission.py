"""Submission: hands messages to a server so that it is always known what it can have of them (RFC 6409, RFC 5321).

Until the line with the dot that ends it, no server has a message: whatever breaks before may be tried again. Once that
line is on its way only the server's answer tells, and where it doesn't come, nobody knows.
"""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING

from mailaccounts.errors import (
    AdminActionNeeded,
    DeliveryUncertain,
    MailAccountsError,
    MessageRefused,
    MessageTooLarge,
    RecipientRefused,
    SenderRefused,
    ServerBusy,
    Throttled,
    UnsafeArgument,
)
from mailaccounts.mail.responses import smtp_error
from mailaccounts.mail.smtp import FAULTS, SmtpSession

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

logger = logging.getLogger(__name__)

CHUNK = 65_536  # octets sent at a time; each has the time of a command
ANSWER_SECONDS = 150.0  # for the answer to the dot: the RFC asks for ten minutes, and no session lasts that long
UNSAFE = re.compile(r"[^!-~]|[<>]")  # in an address as it goes over the wire

# Whose answer is about somebody or something else than the message: these errors stay as they are.
KEPT = (Throttled, ServerBusy, SenderRefused, AdminActionNeeded)


class Submission(SmtpSession):
    """A session that sends. ``offer`` and ``hand_over`` a message, in this order."""

    @property
    def size_limit(self) -> int | None:
        """The octets that the server takes at most (RFC 1870); None where it doesn't say."""
        told = self._smtp.esmtp_features.get("size", "")
        return int(told) or None if re.fullmatch(r"\d{1,15}", told) else None

    def offer(self, sender: str, recipients: Sequence[str], *, size: int) -> Mapping[str, MailAccountsError]:
        """Says whom a message of ``size`` octets is from and for; those refused, each with the reason.

        Addresses are ASCII. Raises MessageTooLarge, SenderRefused and, when nobody is left whom it could be for, the
        reason: one that passes, if there is one of these.
        """
        host, limit = self._endpoint.host, self.size_limit
        if limit is not None and size > limit:
            raise MessageTooLarge(host=host, size=size, limit=limit)
        if any(UNSAFE.search(address) for address in (sender, *recipients)):
            raise UnsafeArgument(what="An address")
        told = f" SIZE={size}" if limit is not None else ""
        code, reply = self._ask(f"MAIL FROM:<{sender}>{told}")
        if code // 100 != 2:
            raise self._about_sender(code, reply, size=size)
        refused: dict[str, MailAccountsError] = {}
        for recipient in recipients:
            code, reply = self._ask(f"RCPT TO:<{recipient}>")
            if code // 100 != 2:
                refused[recipient] = self._about_recipient(code, reply)
        if len(refused) == len(recipients):
            raise next(
                (each for each in refused.values() if not isinstance(each, RecipientRefused)), *refused.values()
            )
        return refused

    def hand_over(self, raw: bytes) -> None:
        """Sends the message. DeliveryUncertain when the server may have it and didn't say; after any other error, it
        hasn't."""
        code, reply = self._ask("DATA")
        if code != 354:
            raise self._about_message(code, reply, size=len(raw))
        try:
            self._talk(lambda: send_content(self, stuffed(raw)))
        except BaseException:
            self.close()  # whatever came next would be part of the message
            raise
        try:
            send_dot(self)
            code, reply = last_answer(self)
        except (MailAccountsError, *FAULTS):
            code = 0
        if code // 100 == 2:
            return
        if code // 100 in {4, 5}:
            raise self._about_message(code, reply, size=len(raw))
        self.close()
        raise DeliveryUncertain(host=self._endpoint.host)

    def _ask(self, line: str) -> tuple[int, bytes]:
        return self._talk(lambda: self._smtp.docmd(line))

    def _about_sender(self, code: int, reply: bytes, *, size: int) -> MailAccountsError:
        error = self._about_message(code, reply, size=size)
        return SenderRefused(host=self._endpoint.host) if type(error) is MessageRefused else error

    def _about_recipient(self, code: int, reply: bytes) -> MailAccountsError:
        error = smtp_error(code, reply, host=self._endpoint.host)
        if isinstance(error, KEPT):
            return error
        kind = RecipientRefused if code // 100 == 5 else ServerBusy
        return kind(host=self._endpoint.host)

    def _about_message(self, code: int, reply: bytes, *, size: int) -> MailAccountsError:
        """A negative answer to MAIL, DATA or the message itself: it lasts (5yz), or it passes (RFC 5321 §4.2.1)."""
        logger.debug("%s answered %d to a message", self._endpoint.host, code)
        host, error = self._endpoint.host, smtp_error(code, reply, host=self._endpoint.host)
        if isinstance(error, KEPT):
            return error
        if code // 100 != 5:
            return ServerBusy(host=host)
        if reply.lstrip().startswith(b"5.3.4"):  # RFC 3463 §3.4
            return MessageTooLarge(host=host, size=size, limit=self.size_limit or size)
        return MessageRefused(host=host)


def stuffed(raw: bytes) -> bytes:
    """The message with CRLF at the end of each line, and dots at their beginning doubled (RFC 5321 §4.5.2)."""
    lines = re.sub(rb"\r\n|\r|\n", b"\r\n", raw)
    whole = lines if lines.endswith(b"\r\n") else lines + b"\r\n"
    return re.sub(rb"(?m)^\.", b"..", whole)


def send_content(session: Submission, content: bytes) -> None:
    """All of the message but its end."""
    for start in range(0, len(content), CHUNK):
        session._smtp.wire.begin()
        session._smtp.send(content[start : start + CHUNK])


def send_dot(session: Submission) -> None:
    """The end of the message: from now on it may be on its way."""
    session._smtp.wire.begin(seconds=ANSWER_SECONDS)
    session._smtp.send(b".\r\n")


def last_answer(session: Submission) -> tuple[int, bytes]:
    return session._smtp.getreply()
