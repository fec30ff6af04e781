"""Obtaining permission and tokens from an identity provider."""

from __future__ import annotations

from typing import ClassVar

from mailaccounts.errors.base import MailAccountsError, Remedy


class OAuthError(MailAccountsError):
    """Obtaining a token didn't work."""

    code = "oauth"


class ProviderUnavailable(OAuthError):
    """Network trouble or 5xx at the identity provider: transient. ``retry_after`` are the seconds it asks for."""

    code = "provider_unavailable"
    remedy = Remedy.WAIT
    sentence = "{provider} can't be reached or is out of order."
    next_step = "Nothing was changed. Try again in a few minutes."

    def __init__(self, *, retry_after: float | None = None, **facts: str | int) -> None:
        self.retry_after = retry_after
        super().__init__(**facts)


class ProviderThrottled(ProviderUnavailable):
    code = "provider_throttled"
    sentence = "{provider} asks us to slow down."


class SignInLocked(ProviderUnavailable):
    """The provider locked the user out for a while, or mistrusts the address the sign-ins come from."""

    code = "sign_in_locked"
    sentence = "{provider} has locked this sign-in for a while, as it does after too many failed attempts."
    next_step = "We try again by ourselves. If it lasts, look at the security notices on the provider's own page."


class ClientMisconfigured(OAuthError):
    """Our own app registration is wrong (secret expired, redirect URI …): never the account's fault.

    Users read ``sentence`` and ``next_step``; ``diagnosis`` and ``cure`` are for whoever runs this installation.
    """

    code = "client_misconfigured"
    remedy = Remedy.OPERATOR
    sentence = "This installation's registration with {provider} doesn't work."
    next_step = "Tell whoever runs this installation; your account is not to blame."
    diagnosis: ClassVar[str] = "{provider} refuses something about this registration."
    cure: ClassVar[str] = "Verify it step by step, and compare it with what the provider's console shows."


class ClientMissing(ClientMisconfigured):
    code = "client_missing"
    sentence = "This installation isn't registered with {provider}."
    next_step = "Whoever runs this installation has to add an app registration first."


class ConsentDeclined(OAuthError):
    code = "consent_declined"
    remedy = Remedy.RETRY
    sentence = "Permission was not given at {provider}."
    next_step = "Nothing was changed. Try again whenever you like."


class ConsentExpired(OAuthError):
    """The attempt is unknown, used, too old, or another user's: state does not match."""

    code = "consent_expired"
    remedy = Remedy.RETRY
    sentence = "This sign-in is no longer valid: it was already used, took too long, or was started elsewhere."
    next_step = "Nothing was changed. Start again from Settings → Email accounts."


class SignedOut(ConsentExpired):
    """Who came back from the provider wasn't signed in to the CRM any more."""

    code = "signed_out"
    sentence = "You were signed out here before you came back from {provider}."


class ScopeMissing(OAuthError):
    code = "scope_missing"
    remedy = Remedy.RETRY
    sentence = "{provider} did not grant everything that is needed: {scopes} is missing."
    next_step = "Nothing was changed. Try again and leave every permission ticked."


class WrongIdentity(OAuthError):
    """The person who signed in is not the one this account was connected with, or can't open the mailbox."""

    code = "wrong_identity"
    remedy = Remedy.RETRY
    sentence = (
        "You signed in to {provider} as {signed_in_as}, but {address} is connected with the sign-in of {expected}."
    )
    next_step = "Nothing was changed. Try again and choose the right account."


class AnotherAddress(WrongIdentity):
    """Whoever signed in has another address than the mailbox, and nobody said that this is meant."""

    code = "another_address"
    sentence = "You signed in to {provider} as {signed_in_as}, but the mailbox is {address}."
    next_step = (
        "Nothing was changed. If it is a shared mailbox or another address of yours, say so and go on; otherwise sign "
        "in again as its owner."
    )


class MailboxRefused(WrongIdentity):
    """A person signed in, but the mail server doesn't open the mailbox for them."""

    code = "mailbox_refused"
    sentence = "You signed in to {provider} as {signed_in_as}, but that sign-in may not open the mailbox {address}."
    next_step = "Nothing was changed. Sign in as the mailbox's owner, or ask its administrator for access."


class AdminApprovalNeeded(OAuthError):
    """A policy of the organisation forbids the sign-in, or only its administrator may consent."""

    code = "admin_approval_needed"
    remedy = Remedy.ASK_ADMIN
    sentence = "{provider} doesn't allow this sign-in until an administrator of the organisation approves it."
    next_step = "Nothing was changed. Ask the administrator of your mail for approval."


class DelegationMissing(AdminApprovalNeeded):
    """Access without users was asked for where the organisation has delegated nothing to us."""

    code = "delegation_missing"
    sentence = "{provider} doesn't let this installation open mailboxes of the organisation."
    next_step = "Its administrator has to allow it: docs/providers.md lists the steps."


class IdTokenInvalid(OAuthError):
    code = "id_token_invalid"
    remedy = Remedy.OPERATOR
    sentence = "The answer of {provider} could not be verified."
    next_step = "Nothing was changed. If it happens again, tell whoever runs this installation."


class UserUnknownAtProvider(OAuthError):
    """The account is gone, disabled or in another directory."""

    code = "user_unknown"
    remedy = Remedy.RECONNECT
    sentence = "{provider} does not know this user."
    next_step = "Check the address, and sign in with the account the mailbox belongs to."


class GrantRevoked(OAuthError):
    """``invalid_grant``: the refresh token is dead."""

    code = "grant_revoked"
    remedy = Remedy.RECONNECT
    sentence = "The permission given at {provider} has ended."
    next_step = "Reconnect the account."


class InteractionRequired(GrantRevoked):
    """A sign-in would help. ``claims`` is what the provider wants that sign-in to ask it for (JSON, or ""); the next
    ConsentRequest carries it. It doesn't print."""

    code = "interaction_required"
    sentence = "{provider} wants you to sign in again."
    next_step = "Reconnect the account."

    def __init__(self, *, claims: str = "", **facts: str | int) -> None:
        self.claims = claims
        super().__init__(**facts)


class RefreshInProgress(OAuthError):
    """Another worker is renewing this grant and didn't finish in time."""

    code = "refresh_in_progress"
    remedy = Remedy.WAIT
    sentence = "The sign-in at {provider} is being renewed."
    next_step = "We try again by ourselves."
