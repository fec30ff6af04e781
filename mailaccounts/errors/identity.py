"""Finding out at an identity provider who somebody is, for a host's own sign-in."""

from __future__ import annotations

from mailaccounts.errors.base import Remedy
from mailaccounts.errors.consent import OAuthError


class SignInExpired(OAuthError):
    """The state is unknown, used or too old, or the code is."""

    code = "sign_in_expired"
    remedy = Remedy.RETRY
    sentence = "This sign-in is no longer valid: it was already used, took too long, or was started elsewhere."
    next_step = "Start again."


class NotAskedAgain(OAuthError):
    """The provider was to ask who it is once more, and took its own earlier word for it."""

    code = "not_asked_again"
    remedy = Remedy.RETRY
    sentence = "{provider} let you pass without asking who you are."
    next_step = "Sign out there first, or confirm in another way."
