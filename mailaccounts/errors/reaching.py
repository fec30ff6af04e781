"""Reaching a mail server, and what it does once reached."""

from __future__ import annotations

from mailaccounts.errors.base import MailAccountsError, Remedy

# Said to somebody who is connecting a mailbox, and of one that is connected.
AGAIN = "Try again in a few minutes; a connected mailbox goes on by itself."


class NetworkError(MailAccountsError):
    """The server wasn't reached or didn't behave; says nothing about the credential. Never disables an account."""

    code = "network"
    remedy = Remedy.WAIT
    sentence = "The server {host} can't be reached right now."
    next_step = AGAIN


class HostMisconfigured(NetworkError):
    """Reaching the server can't work until host, port or security are corrected."""

    code = "host_misconfigured"
    remedy = Remedy.FIX_HOST
    next_step = "Check the server name, port and security."


class HostNotFound(HostMisconfigured):
    code = "host_not_found"
    sentence = "There is no server named {host}."
    next_step = "Check the spelling of the server name."


class HostLookupFailed(NetworkError):
    code = "host_lookup_failed"
    sentence = "The name {host} couldn't be looked up right now."
    next_step = "Try again in a minute."


class HostNotAllowed(HostMisconfigured):
    code = "host_not_allowed"
    sentence = "{host} is in a private or reserved network, where mail accounts may not connect to."
    next_step = (
        "Use the server's public name; whoever runs this installation can allow a network with "
        "MAILACCOUNTS_ALLOW_PRIVATE_HOSTS."
    )


class PortNotAllowed(HostMisconfigured):
    code = "port_not_allowed"
    sentence = "Port {port} is not one that mail servers use."
    next_step = "Use 993 or 143 for IMAP and 465 or 587 for SMTP."


class ConnectionRefused(HostMisconfigured):
    code = "connection_refused"
    sentence = "{host} does not answer on port {port}."
    next_step = "Check the port; IMAP is usually 993 and SMTP 465 or 587."


class ConnectionTimedOut(NetworkError):
    code = "timeout"
    sentence = "{host} took too long to answer."
    next_step = "Try again; if it stays so, check the server name, port and security."


class ConnectionLost(NetworkError):
    code = "connection_lost"
    sentence = "{host} closed the connection."
    next_step = "Try again in a minute."


class TlsNotSpoken(HostMisconfigured):
    code = "tls_not_spoken"
    sentence = "{host} does not speak TLS on port {port}."
    next_step = "Choose STARTTLS for this port, or use 993 for IMAP and 465 for SMTP."


class StartTlsRefused(HostMisconfigured):
    code = "starttls_refused"
    sentence = "{host} does not offer an encrypted connection on port {port}."
    next_step = "Choose TLS and port 993 for IMAP or 465 for SMTP; we never send a credential unencrypted."


class CertificateUntrusted(HostMisconfigured):
    code = "certificate_untrusted"
    sentence = "The certificate of {host} can't be trusted."
    next_step = (
        "Check the server name; if the server has a certificate of your own organisation, whoever runs this "
        "installation can add its authority with MAILACCOUNTS_CA_BUNDLE."
    )


class ServerBusy(NetworkError):
    """UNAVAILABLE, INUSE, SERVERBUG, BYE: transient by RFC 5530."""

    code = "server_busy"
    sentence = "{host} is busy or out of order."
    next_step = AGAIN


class Throttled(NetworkError):
    """The server asks for fewer connections, commands or bytes; ``retry_after`` in seconds when it said so."""

    code = "throttled"
    sentence = "{host} asks us to slow down."
    next_step = AGAIN

    def __init__(self, *, retry_after: float | None = None, **facts: str | int) -> None:
        self.retry_after = retry_after
        super().__init__(**facts)


class PutOff(NetworkError):
    """We haven't even tried, or went no further: no failure of the account's. It may be tried in ``retry_after``
    seconds."""

    code = "put_off"

    def __init__(self, *, retry_after: float, **facts: str | int) -> None:
        self.retry_after = retry_after
        super().__init__(**facts)


class ServerDown(PutOff):
    """One sign-in after another failed, so that only one at a time looks whether the server is back."""

    code = "server_down"
    sentence = "{host} has been out of reach for several sign-ins in a row."
    next_step = "We look again every few minutes, and a connected mailbox goes on by itself."


class AllowanceSpent(PutOff):
    """The connections, commands or bytes that a mailbox may have at its provider are in use or used up."""

    code = "allowance_spent"
    sentence = "What {host} allows for this mailbox is used up for now."
    next_step = "It goes on by itself."


class ProtocolFault(NetworkError):
    code = "protocol_fault"
    sentence = "{host} gave an answer that mail servers don't give."
    next_step = "Check that the name and port are those of the mail server."


class BudgetExceeded(ProtocolFault):
    """The server sent more bytes, lines or took more time than the operation is allowed."""

    code = "budget_exceeded"
    sentence = "{host} sent more than a mail server should."
    next_step = "Check that the name and port are those of the mail server."


class CapabilityMissing(HostMisconfigured):
    code = "capability_missing"
    sentence = "{host} does not offer {what}."
    next_step = "Choose another way to sign in, or ask the mail server's administrator."


class IdleMissing(CapabilityMissing):
    """No IDLE (RFC 2177): the mailbox is polled."""

    code = "idle_missing"
    sentence = "{host} does not tell when mail arrives."
    next_step = "Its mailboxes are looked into at intervals instead."


class MailboxFull(MailAccountsError):
    code = "mailbox_full"
    remedy = Remedy.FREE_SPACE
    sentence = "The mailbox is full."
    next_step = "Delete some mail or ask for more space."


class MessageGone(MailAccountsError):
    """What was to be read of a message isn't at the server any more."""

    code = "message_gone"
    remedy = Remedy.WAIT
    sentence = "This isn't in the mailbox any more."
    next_step = "If the message was only moved, it is found again with the next sync."


class FolderMissing(MailAccountsError):
    code = "folder_missing"
    remedy = Remedy.WAIT
    sentence = "The folder {folder} is not there any more."
    next_step = "It will be left out from now on."
