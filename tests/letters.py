"""Messages as they arrive, for tests that say what is in them."""

from __future__ import annotations

import secrets
from email.message import EmailMessage
from email.utils import format_datetime
from typing import TYPE_CHECKING

from django.utils import timezone

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

CONTACT = "maria@customer.test"
STRANGER = "offers@shop.test"
COLLEAGUE = "jo@sandbox.test"  # known to nobody but the owner


def letter(
    sender: str = CONTACT,
    to: str = "me@sandbox.test",
    subject: str = "Hello",
    text: str = "Good morning",
    *,
    message_id: str = "",
    answers: Sequence[str] = (),
    when: datetime | None = None,
    html: str = "",
    attachment: bytes = b"",
) -> bytes:
    """One message in wire form; ``answers`` are the Message-IDs of those before it in the thread, oldest first."""
    message = EmailMessage()
    message["From"] = sender
    message["To"] = to
    message["Subject"] = subject
    message["Date"] = format_datetime(when or timezone.now())
    message["Message-ID"] = f"<{message_id or new_id()}>"
    if answers:
        message["In-Reply-To"] = f"<{answers[-1]}>"
        message["References"] = " ".join(f"<{each}>" for each in answers)
    message.set_content(text)
    if html:
        message.add_alternative(html, subtype="html")
    if attachment:
        message.add_attachment(attachment, maintype="application", subtype="pdf", filename="offer.pdf")
    return message.as_bytes().replace(b"\n", b"\r\n")


def new_id() -> str:
    return f"{secrets.token_hex(8)}@letters.test"
