"""Exports everything stored about one person."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

from mailaccounts import selectors
from mailaccounts.management._output import OutputCommand, usage_error
from mailaccounts.rules import labels

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.core.management.base import CommandParser

    from mailaccounts.models import Message, MessageUid, Outgoing

HEADS = ("DATE", "FROM", "TO", "SUBJECT", "ACCOUNTS", "FOLDERS", "BODY")


class Command(OutputCommand):
    help = "Exports everything stored about one person: their mail and the rest of those conversations."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--contact", required=True, metavar="EMAIL", help="the person's address")
        super().add_arguments(parser)

    def handle(self, *, contact: str, **options: Any) -> None:
        if "@" not in contact:
            raise usage_error(f"{contact} is not an email address.")
        messages = sorted(selectors.messages_about(contact), key=lambda message: message.fingerprint)
        found = [_describe(list(copies)) for _, copies in groupby(messages, key=lambda message: message.fingerprint)]
        known = {(address, each["message_id"]) for each in found for address in each["accounts"]}
        outgoing = selectors.outgoing_to(contact)
        found += [_written(each) for each in outgoing if (each.account.address, each.message_id) not in known]
        found.sort(key=lambda each: (each["date"] or "", each["message_id"]))
        if options["json"]:
            for each in found:
                self.emit(each)
        else:
            self.table(HEADS, [_row(each) for each in found])


def _describe(copies: Sequence[Message]) -> dict[str, Any]:
    """One message, in however many accounts and folders it lies."""
    message = copies[0]
    by_role: dict[str, list[str]] = {}
    for participant in message.participants.all():
        by_role.setdefault(participant.role, []).append(participant.address)
    complete = next((copy for copy in copies if copy.has_body), message)
    return {
        "message_id": message.message_id,
        "subject": message.subject,
        "from": ", ".join(by_role.get("from", [])),
        "to": by_role.get("to", []) + by_role.get("cc", []) + by_role.get("bcc", []),
        "date": (message.sent_at or message.received_at).isoformat(),
        "accounts": sorted({copy.account.address for copy in copies}),
        "folders": sorted({name for copy in copies for place in copy.uids.all() for name in _folders(place)}),
        "has_body": complete.has_body,
        "attachments": [
            {"name": each.name, "content_type": each.content_type, "size": each.size}
            for each in complete.attachments.all()
        ],
    }


def _written(outgoing: Outgoing) -> dict[str, Any]:
    """A message that is written here and has not come back from its mailbox: in no folder, so far."""
    return {
        "message_id": outgoing.message_id,
        "subject": outgoing.subject,
        "from": outgoing.account.address,
        "to": [each.address for each in outgoing.recipients.all()],
        "date": (outgoing.sent_at or outgoing.created_at).isoformat(),
        "accounts": [outgoing.account.address],
        "folders": [],
        "has_body": not outgoing.is_in_mailbox,
        "attachments": [
            {"name": each.name, "content_type": each.content_type, "size": each.size}  # type: ignore[attr-defined]  # the selector adds it
            for each in outgoing.enclosed.all()
        ],
    }


def _folders(place: MessageUid) -> list[str]:
    """Where its owner sees the message: at Gmail that is under its labels as well."""
    return [place.folder.name, *labels.names(place.labels)]


def _row(each: dict[str, Any]) -> tuple[object, ...]:
    return (
        each["date"][:16].replace("T", " "),
        each["from"][:40],
        ", ".join(each["to"])[:40],
        each["subject"][:50],
        ", ".join(each["accounts"]),
        ", ".join(each["folders"]),
        "yes" if each["has_body"] else "no",
    )
