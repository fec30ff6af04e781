"""Access to all mailboxes of an organisation: being let in, being kept out where we must be, losing it again."""

from __future__ import annotations

from mailaccounts.errors.base import Remedy
from mailaccounts.errors.consent import OAuthError


class OrganisationError(OAuthError):
    """Something between us and an organisation; ``next_step`` is for who administers it."""

    code = "organisation"
    remedy = Remedy.ASK_ADMIN


class OrganisationOff(OrganisationError):
    """Met by a mailbox that is opened by its organisation's leave, while that is switched off."""

    code = "organisation_off"
    sentence = "Access to the mailboxes of {organisation} is switched off, so this one can't be opened either."
    next_step = "Whoever runs this installation can see why. Until then you can sign in to the mailbox yourself."


class OtherOrganisation(OrganisationError):
    """The answer to an admin consent names another directory than the one whose administrator had signed in."""

    code = "other_organisation"
    remedy = Remedy.RETRY
    sentence = "You signed in for one organisation, but the permission was given for another."
    next_step = "Nothing was changed. Start again, and choose the same account on both of {provider}'s pages."


class NoOrganisation(OrganisationError):
    """A personal account signed in."""

    code = "no_organisation"
    remedy = Remedy.RETRY
    sentence = "{signed_in_as} is a personal account: it belongs to no organisation."
    next_step = "Nothing was changed. Sign in as an administrator of the organisation."


class OrganisationUnclear(OrganisationError):
    """The mailbox named isn't the organisation's, as far as its provider says."""

    code = "organisation_unclear"
    remedy = Remedy.FIX_INPUT
    sentence = "{address} is no mailbox of {organisation}."
    next_step = "Nothing was changed. Enter the address of a mailbox at one of its domains."


class RolesMissing(OrganisationError):
    """We get tokens for the organisation, but they allow nothing: Entra issues such to everybody."""

    code = "roles_missing"
    sentence = "{provider} gives us tokens for the organisation, but they don't allow us to read its mailboxes."
    next_step = (
        "Add IMAP.AccessAsApp to the app registration as an application permission, and let the organisation's "
        "administrator consent again. A new consent may take some minutes to count: then check again."
    )


class CanaryMissing(OrganisationError):
    code = "canary_missing"
    sentence = "No mailbox is named yet that must stay closed to this installation."
    next_step = "Name one: access stays off until that mailbox was tried, and refused."


class CanaryOpened(OrganisationError):
    """The alarm: a mailbox opened that must not."""

    code = "canary_opened"
    sentence = "The mailbox {canary} must stay closed to this installation, but it opened."
    next_step = "Limit what the application may open to the mailboxes of the CRM's users, then check again."


class OrganisationSwitchedOff(OrganisationError):
    """By hand."""

    code = "organisation_switched_off"
    sentence = "Somebody switched it off here."
    next_step = "Check it again to switch it on."
