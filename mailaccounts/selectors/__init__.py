"""Reads: what may be seen, by whom. Everything a page shows of accounts and mail starts from one of these."""

from mailaccounts.selectors.accounts import (
    accounts_for,
    blocked_by,
    erasings_of,
    looks_at,
    mailboxes_of,
    quarantined_of,
    receipts,
    receipts_for,
)
from mailaccounts.selectors.people import messages_about, messages_with, outgoing_to, taking_part, written_to
from mailaccounts.selectors.sight import (
    Access,
    Sight,
    access_to,
    attachments_for,
    copies_of,
    messages_for,
    own_messages,
    readable_by,
    threads_for,
)
from mailaccounts.selectors.writing import enclosed_in, outgoing_for, senders_for, undecided

__all__ = [
    "Access",
    "Sight",
    "access_to",
    "accounts_for",
    "attachments_for",
    "blocked_by",
    "copies_of",
    "enclosed_in",
    "erasings_of",
    "looks_at",
    "mailboxes_of",
    "messages_about",
    "messages_for",
    "messages_with",
    "outgoing_for",
    "outgoing_to",
    "own_messages",
    "quarantined_of",
    "readable_by",
    "receipts",
    "receipts_for",
    "senders_for",
    "taking_part",
    "threads_for",
    "undecided",
    "written_to",
]
