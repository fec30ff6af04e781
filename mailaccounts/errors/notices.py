"""Links of notices that lead no further. None of them says more of an account than its owner may know."""

from __future__ import annotations

from mailaccounts.errors.base import MailAccountsError, Remedy


class NoticeError(MailAccountsError):
    code = "notice"
    remedy = Remedy.RETRY


class NoticeDamaged(NoticeError):
    """Cut off, or made up by somebody."""

    code = "notice_damaged"
    sentence = "This link isn't complete."
    next_step = "Open it from the mail it came with, or copy all of it."


class NoticeForSomebodyElse(NoticeError):
    """Forwarded, or opened in somebody else's browser. Says nothing of the account, nor whether there is one."""

    code = "notice_for_somebody_else"
    sentence = "This link isn't for the user who is signed in here."
    next_step = "It is personal. If it was sent to you, sign out and sign in as the user it was sent to."


class NoticeSettled(NoticeError):
    """What the notice was about has been seen to since, or is about something newer now."""

    code = "notice_settled"
    sentence = "That is settled already."
    next_step = "There is nothing left to do about the mail that you followed."
