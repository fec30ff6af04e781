"""Sending a message once signed in: about one message, never about the account's sign-in."""

from __future__ import annotations

from mailaccounts.errors.base import MailAccountsError, Remedy


class SenderRefused(MailAccountsError):
    """Exchange's SendAsDenied and the like: signed in, but not as somebody who may use this sender."""

    code = "sender_refused"
    remedy = Remedy.ASK_ADMIN
    sentence = "{host} doesn't let this sign-in send from that address."
    next_step = "Ask the mailbox's administrator for permission to send as it."


class RecipientRefused(MailAccountsError):
    code = "recipient_refused"
    remedy = Remedy.FIX_INPUT
    sentence = "{host} says that a recipient can't be reached."
    next_step = "Check the spelling of the addresses."
