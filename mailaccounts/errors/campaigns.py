"""Moving many accounts: why one can't move, and what a link in an invitation may come to."""

from __future__ import annotations

from mailaccounts.errors.base import MailAccountsError, Remedy
from mailaccounts.errors.given import InvalidInput


class OnItAlready(MailAccountsError):
    """There is nothing to gain."""

    code = "on_it_already"
    remedy = Remedy.RETRY
    sentence = "{address} signs in by consent already."
    next_step = "There is nothing to do."


class NotConnected(MailAccountsError):
    """The account is disconnected, or on its way to be."""

    code = "not_connected"
    remedy = Remedy.RECONNECT
    sentence = "{address} is disconnected."
    next_step = "It can move once its owner has connected it again."


class NoConsentThere(MailAccountsError):
    """The provider of the mailbox has no sign-in by consent that we know."""

    code = "no_consent_there"
    remedy = Remedy.ASK_ADMIN
    sentence = "{provider} doesn't take a sign-in by consent."
    next_step = "The account goes on with its password."


class OtherProvider(MailAccountsError):
    """The registration that a campaign moves to is another provider's."""

    code = "other_provider"
    remedy = Remedy.FIX_INPUT
    sentence = "{address} is a mailbox of {provider}, and this is a campaign for another provider."
    next_step = "It can move in a campaign to {registered_with}."


class OwnerInactive(MailAccountsError):
    """Nobody is there to consent."""

    code = "owner_inactive"
    remedy = Remedy.OPERATOR
    sentence = "The user who owns {address} is deactivated, so nobody can consent."
    next_step = "Activate the user, or have the organisation's administrator consent."


class NobodyMoves(InvalidInput):
    """A campaign without accounts."""

    code = "nobody_moves"
    sentence = "None of the chosen accounts can move."
    next_step = "The table says why for each; choose others."


class InvitationUnsent(MailAccountsError):
    """The mail to the owner couldn't be sent."""

    code = "invitation_unsent"
    remedy = Remedy.WAIT
    sentence = "The invitation to the owner of {address} couldn't be sent."
    next_step = "It is tried again; if it doesn't go out, look at the CRM's mail settings."


class InvitationError(MailAccountsError):
    """A link of an invitation that leads no further. None of them says more of an account than its owner may know."""

    code = "invitation"
    remedy = Remedy.RETRY


class InvitationDamaged(InvitationError):
    code = "invitation_damaged"
    sentence = "This link isn't complete."
    next_step = "Open it from the mail it came with, or copy all of it."


class InvitationForSomebodyElse(InvitationError):
    """Forwarded, or opened in somebody else's browser. Says nothing of the account, nor whether there is one."""

    code = "invitation_for_somebody_else"
    sentence = "This invitation isn't for the user who is signed in here."
    next_step = "Its link is personal. If it was sent to you, sign out and sign in as the user it was sent to."


class InvitationExpired(InvitationError):
    code = "invitation_expired"
    sentence = "This invitation was good until {day}, which is over."
    next_step = "Ask your administrator for a new one, or switch from the account's page."


class InvitationUsed(InvitationError):
    code = "invitation_used"
    sentence = "{address} has moved: this invitation has done its work."
    next_step = "There is nothing left to do. The account's page shows how it signs in."


class InvitationReplaced(InvitationError):
    code = "invitation_replaced"
    sentence = "There is a newer invitation for {address}."
    next_step = "Open the link in the newest mail, or switch from the account's page."


class InvitationWithdrawn(InvitationError):
    code = "invitation_withdrawn"
    sentence = "Your administrator has taken back the invitation for {address}."
    next_step = "Nothing was changed: the account works as before, and there is nothing to do."
