"""The steps of a connection test in words, for the pages that show one."""

from __future__ import annotations

from mailaccounts.mail.watched import StepName

SERVERS = {"imap": "Reading (IMAP)", "smtp": "Sending (SMTP)"}
NAMES = {
    StepName.DNS: "Look up the name",
    StepName.POLICY: "May we connect there?",
    StepName.TCP: "Connect",
    StepName.TLS: "Encrypt (TLS)",
    StepName.GREETING: "Greeting",
    StepName.STARTTLS: "Ask for encryption (STARTTLS)",
    StepName.CAPABILITIES: "What the server can do",
    StepName.LOGIN: "Sign in",
    StepName.SELECT: "Open the inbox",
}


def words(value: object) -> str:
    """A finding in words: what there are several of with commas between."""
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
