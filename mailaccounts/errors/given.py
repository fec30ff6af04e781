"""What a person or a program gave us."""

from __future__ import annotations

from mailaccounts.errors.base import MailAccountsError, Remedy


class InvalidInput(MailAccountsError):
    """Something a person or a program gave us can't be used as it is."""

    code = "invalid_input"
    remedy = Remedy.FIX_INPUT
    sentence = "{what} can't be used."
    next_step = "Correct it and try again."


class UnsafeArgument(InvalidInput):
    """NUL, CR or LF in something bound for a protocol line: that would be commands of its own."""

    code = "unsafe_argument"
    sentence = "{what} contains a line break or a control character."
    next_step = "Remove it and try again."


class UnusableServerUrl(InvalidInput):
    sentence = "The {protocol} server can't be read from what was given."
    next_step = "Write it as {scheme}s://HOST:PORT (TLS) or {scheme}+starttls://HOST:PORT."

    def __init__(self, *, protocol: str) -> None:
        super().__init__(protocol=protocol.upper(), scheme=protocol)


class UnknownOwner(InvalidInput):
    code = "unknown_owner"
    sentence = "There is no one user called {name}."
    next_step = "Give the name of a CRM user, or an e-mail address that only one user has."


class UnusableSecret(InvalidInput):
    code = "unusable_secret"
    sentence = "The {what} is empty, too long or not of the kind that providers make."
    next_step = "Look at what was pasted and try again."


class AlreadyConnected(InvalidInput):
    code = "already_connected"
    sentence = "{address} is already connected."
    next_step = "Open it in Settings → Email accounts to change how it signs in."


class UnknownHosts(InvalidInput):
    code = "unknown_hosts"
    sentence = "We don't know the mail servers of {domain}."
    next_step = "Enter the IMAP and SMTP servers by hand; your provider's help pages list them."


class HostsUnconfirmed(InvalidInput):
    """Found in what a domain says of itself, but outside of that domain (RFC 6186 §6)."""

    code = "hosts_unconfirmed"
    sentence = "The mail servers that {domain} names aren't its own, so nobody signed in there yet."
    next_step = "Check them, and if they are right give them with --imap and --smtp."


class TooManyAttempts(MailAccountsError):
    code = "too_many_attempts"
    remedy = Remedy.WAIT
    sentence = "That was tried too often in a short time."
    next_step = "Wait a few minutes and try again."
