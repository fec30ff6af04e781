"""Sending a message: what stands in the way of this one, and says nothing about the account's sign-in."""

from __future__ import annotations

from mailaccounts.errors.base import MailAccountsError, Remedy
from mailaccounts.errors.reaching import PutOff


class SendingError(MailAccountsError):
    """About one message, which the server doesn't have. It would go no better a second time as it is."""

    code = "sending"
    remedy = Remedy.FIX_INPUT


class SendingNotAllowed(SendingError):
    """The account was connected for reading only."""

    code = "sending_not_allowed"
    remedy = Remedy.RECONNECT
    sentence = "{address} is connected for reading only."
    next_step = "Allow sending on its page in Settings → Email accounts; what you wrote is kept."


class SenderRefused(SendingError):
    """Exchange's SendAsDenied and the like: signed in, but not as somebody who may use this sender."""

    code = "sender_refused"
    remedy = Remedy.ASK_ADMIN
    sentence = "{host} doesn't let this sign-in send from that address."
    next_step = "Ask the mailbox's administrator for permission to send as it."


class SenderNotProven(SendingError):
    """An address that isn't, or isn't any more, an alias of the account's."""

    code = "sender_not_proven"
    sentence = "It isn't proven that you get mail at {address}."
    next_step = "Choose another sender, or prove the address on the account's page for writing."


class SenderDeparted(SendingError):
    """Deactivated, or not allowed to send from there any more."""

    code = "sender_departed"
    remedy = Remedy.ASK_ADMIN
    sentence = "Whoever wrote this, or whose mailbox {address} is, may not send from there any more."
    next_step = "Nothing of it was sent. Once an administrator has let them in again, they can send it."


class QuotedWithdrawn(SendingError):
    """Its owner shares it no more, or it is erased."""

    code = "quoted_withdrawn"
    sentence = "You may not read the message that this answers or passes on any more."
    next_step = "What was quoted of it, and its files, don't go along; what you wrote is kept. Look at what is left."


class SendingPaused(PutOff):
    """Nothing is sent, nor looked up in the mailbox, before an administrator resumes the account."""

    code = "sending_paused"
    remedy = Remedy.WAIT
    sentence = "An administrator has paused {address}."
    next_step = "The message waits, and goes once the mailbox is resumed."


class FilesAwaited(SendingError):
    """Of a message that is passed on."""

    code = "files_awaited"
    remedy = Remedy.WAIT
    sentence = "{count} of its attachments couldn't be fetched from the mailbox yet."
    next_step = "Send it in a moment, or leave them out."


class AliasLinkExpired(SendingError):
    code = "alias_link_expired"
    sentence = "The link is older than three days."
    next_step = "Have another one mailed to the address, on the account's page for writing."


class NoWayToAnswer(SendingError):
    """Of somebody who has no mailbox connected."""

    code = "no_way_to_answer"
    remedy = Remedy.RECONNECT
    sentence = "You have no mailbox here to write from."
    next_step = "Connect one in Settings → Email accounts."


class NoRecipients(SendingError):
    code = "no_recipients"
    sentence = "The message is addressed to nobody."
    next_step = "Enter at least one recipient."


class RecipientRefused(SendingError):
    code = "recipient_refused"
    sentence = "{host} says that a recipient can't be reached."
    next_step = "Check the spelling of the addresses."


class RecipientsRefused(RecipientRefused):
    """Which ones is the author's business: never log the sentence."""

    code = "recipients_refused"
    sentence = "{count} of {total} recipients can't be reached: {who}."
    next_step = "Check the spelling of these addresses, and send the message to them once more."


class MessageTooLarge(SendingError):
    """Sizes in octets; with what attachments grow by on their way."""

    code = "message_too_large"
    sentence = "With its attachments the message has {size} MB, and {host} takes {limit} MB at most."
    next_step = "Leave something out, or send a link to it instead."

    def __init__(self, *, host: str, size: int, limit: int) -> None:
        super().__init__(host=host, size=f"{size / 10**6:.1f}", limit=f"{limit / 10**6:.1f}")


class MessageRefused(SendingError):
    code = "message_refused"
    sentence = "{host} refused the message."
    next_step = "It may take the text or an attachment for spam or a virus; change that, and send it again."


class NotSentInTime(SendingError):
    """It was tried, or waited for a new sign-in, for longer than anybody expects of a message."""

    code = "not_sent_in_time"
    remedy = Remedy.RETRY
    sentence = "The message couldn't be sent for {days} days."
    next_step = "If it is still of use, look at the account in Settings → Email accounts and send it again."


class NoSentFolder(SendingError):
    code = "no_sent_folder"
    remedy = Remedy.WAIT
    sentence = "The message was sent; the mailbox has no folder for sent mail to keep a copy in."
    next_step = "Make one called Sent, and the next message is filed there."


class OutgoingChanged(SendingError):
    """Somebody else, or a worker, was faster."""

    code = "outgoing_changed"
    remedy = Remedy.RETRY
    sentence = "The message is on its way, or was changed in the meantime."
    next_step = "Look at how it is doing now."


class DeliveryUncertain(MailAccountsError):
    """The server had all of the message, or may have had, and its answer never came (RFC 5321 §4.5.3.2.6)."""

    code = "delivery_uncertain"
    remedy = Remedy.RETRY
    sentence = "{host} may have sent the message or not: the connection broke before it said so."
    next_step = "Look in the mailbox, or ask whom it was for; then send it again, or note that it was sent."


class PerhapsSentSince(DeliveryUncertain):
    """It waited to be sent when the backup was made that the database was restored from."""

    code = "perhaps_sent_since"
    sentence = "The message may have been sent or not: the database was restored from a time before."
