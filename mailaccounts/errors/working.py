"""Working on an account."""

from __future__ import annotations

from mailaccounts.errors.base import MailAccountsError, Remedy


class AccountBusy(MailAccountsError):
    code = "account_busy"
    remedy = Remedy.WAIT
    sentence = "{address} is being worked on by another worker."
    next_step = "Try again in a minute."


class AccountChanged(MailAccountsError):
    """The account got other servers, or was disconnected, while something was under way for it."""

    code = "account_changed"
    remedy = Remedy.RETRY
    sentence = "{address} was changed or disconnected in the meantime."
    next_step = "Look at it in Settings → Email accounts and start again if need be."


class AccountDisconnected(MailAccountsError):
    code = "account_disconnected"
    remedy = Remedy.RECONNECT
    sentence = "{address} is disconnected."
    next_step = "Reconnect it in Settings → Email accounts to bring in mail again."


class NotBegun(MailAccountsError):
    """Nothing is read of an account whose owner has yet to say how far back mail is wanted."""

    code = "not_begun"
    remedy = Remedy.FIX_INPUT
    sentence = "{address} isn't read yet: its owner has yet to say how far back mail is wanted."
    next_step = "Say so in Settings → Email accounts, on the page of this account."


class AccountPaused(MailAccountsError):
    """Whoever runs this installation wants nothing to be read from it for now."""

    code = "account_paused"
    remedy = Remedy.OPERATOR
    sentence = "{address} is paused."
    next_step = "Nothing is read from it until an administrator resumes it; no mail is lost."


class LeaseLost(AccountBusy):
    """The worker took longer than its lease and another one has the account now."""

    code = "lease_lost"


class ChangeRefused(MailAccountsError):
    """A NO to a change of messages, without a reason that we know of."""

    code = "change_refused"
    remedy = Remedy.RETRY
    sentence = "{host} doesn't allow this change."
    next_step = "Try it in your mail program; if it doesn't work there either, ask the mail server's administrator."


class CannotMove(ChangeRefused):
    """Neither MOVE nor UIDPLUS: moving one message could delete others for good (RFC 6851 §3.3)."""

    code = "cannot_move"
    sentence = "{host} has no safe way to move messages."
    next_step = "Move them in your mail program; it shows here with the next sync."


class ChangedMeanwhile(ChangeRefused):
    """The messages aren't where they were."""

    code = "changed_meanwhile"
    sentence = "The messages were moved or deleted in the mailbox meanwhile."
    next_step = "Look where they are now, and try again."


class NotDoneInTime(ChangeRefused):
    """The mail server couldn't be reached for so long that nobody expects the change any more."""

    code = "not_done_in_time"
    sentence = "The mail server couldn't be reached for a day."
    next_step = "Try again once the account is up to date."


class NeverFinished(ChangeRefused):
    """Every worker that had the change was lost over it."""

    code = "never_finished"
    sentence = "Doing this broke off again and again."
    next_step = "Try it with fewer messages at a time, or in your mail program."


class NeverFetched(MailAccountsError):
    """Every worker that was at the file was lost over it."""

    code = "never_fetched"
    remedy = Remedy.RETRY
    sentence = "Fetching this file broke off again and again."
    next_step = "Leave it out, or try it once more."


class MovedUnseen(ChangeRefused):
    """The messages were moved, and no sync has yet found where they are now."""

    code = "moved_unseen"
    remedy = Remedy.WAIT
    sentence = "Nobody knows yet where the messages are now."
    next_step = "They are moved back as soon as a sync has found them."
