"""Moving an account to another way of signing in, and back."""

from __future__ import annotations

from mailaccounts.errors.base import MailAccountsError, Remedy


class AlreadyMoving(MailAccountsError):
    """The account is on its way to another sign-in already."""

    code = "already_moving"
    remedy = Remedy.WAIT
    sentence = "{address} is already on its way to another sign-in."
    next_step = "Let that come to its end, or cancel it first."


class MailboxDiffers(MailAccountsError):
    """The new sign-in opens a mailbox that isn't the one in use; ``what`` tells by what that shows."""

    code = "mailbox_differs"
    remedy = Remedy.RETRY
    sentence = "The new sign-in opens another mailbox than the one that {address} uses: {what}."
    next_step = "Nothing was changed. Sign in again as the owner of this mailbox."


class WayBackGone(MailAccountsError):
    """There is nothing to go back to."""

    code = "way_back_gone"
    remedy = Remedy.RETRY
    sentence = "What {address} signed in with before is not kept any more."
    next_step = "Nothing was changed. Reconnect the account to sign in another way."


class WayBackRefused(MailAccountsError):
    """The sign-in of before was proven once more, and isn't taken any more."""

    code = "way_back_refused"
    remedy = Remedy.RETRY
    sentence = "{host} no longer takes what {address} signed in with before."
    next_step = "Nothing was changed: the account goes on with its new sign-in."
