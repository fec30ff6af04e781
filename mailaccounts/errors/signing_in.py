"""Signing in to a mail server."""

from __future__ import annotations

from mailaccounts.errors.base import MailAccountsError, Remedy


class AuthenticationRejected(MailAccountsError):
    """The server refused the credential."""

    code = "authentication_rejected"
    remedy = Remedy.RECONNECT
    sentence = "{host} refused the sign-in."
    next_step = "Reconnect the account."


class PasswordRejected(AuthenticationRejected):
    code = "password_rejected"
    sentence = "{host} did not accept the user name or password."
    next_step = "Check both; some providers want an app password or don't allow passwords at all."


class AppPasswordNeeded(PasswordRejected):
    """Two-factor sign-in is on, so programs need a password of their own."""

    code = "app_password_needed"
    sentence = "{host} wants an app password instead of the password of the account."
    next_step = "Create an app password in your provider's security settings and use it here, or switch to OAuth."


class BrowserSignInNeeded(AuthenticationRejected):
    """The provider is suspicious of the sign-in and wants to see its user in a browser."""

    code = "browser_sign_in_needed"
    sentence = "The provider of {host} wants you to sign in with a web browser first."
    next_step = "Sign in on your provider's own web page, then reconnect the account."


class TokenRejected(AuthenticationRejected):
    code = "token_rejected"
    sentence = "{host} did not accept the sign-in of your provider."
    next_step = "Reconnect the account with the address of this mailbox."


class PermissionMissing(AuthenticationRejected):
    """AUTHORIZATIONFAILED, NOPERM: known to the server, but may not open this mailbox."""

    code = "permission_missing"
    remedy = Remedy.ASK_ADMIN
    sentence = "The sign-in worked, but the mailbox {mailbox} may not be opened."
    next_step = "Ask the mailbox's administrator for access."


class MailboxNotConnected(PermissionMissing):
    """Microsoft's "User is authenticated but not connected"."""

    code = "mailbox_not_connected"
    next_step = "Ask the mailbox's administrator to allow IMAP for it."


class MailboxClosed(PermissionMissing):
    """An application's own token was refused: the organisation hasn't opened this mailbox to it."""

    code = "mailbox_closed"
    sentence = "The organisation hasn't opened {mailbox} to this installation."
    next_step = "Ask its administrator to open it; or sign in to the mailbox yourself."


class SendingClosed(MailboxClosed):
    """The same at the SMTP server."""

    code = "sending_closed"
    sentence = "The organisation hasn't allowed this installation to send as {mailbox}."
    next_step = "Ask its administrator to allow it; or sign in to the mailbox yourself."


class AdminActionNeeded(AuthenticationRejected):
    """CONTACTADMIN, SMTP AUTH disabled for the tenant (5.7.139) and the like."""

    code = "admin_action_needed"
    remedy = Remedy.ASK_ADMIN
    sentence = "{host} has this kind of sign-in switched off."
    next_step = "Ask the mailbox's administrator to allow it."


class CredentialMissing(AuthenticationRejected):
    """The account has no credential in use."""

    code = "credential_missing"
    sentence = "{address} has no way to sign in any more."
