"""What can be wrong with our own app registration, told apart for whoever runs this installation."""

from __future__ import annotations

from mailaccounts.errors.consent import ClientMisconfigured


class AuthorityUnknown(ClientMisconfigured):
    """No discovery document at the authority, or a tenant that isn't there."""

    code = "authority_unknown"
    diagnosis = "There is no identity provider at this authority, or it has no such tenant."
    cure = "Correct the authority and the tenant: a directory's id or one of its domains."


class IssuerMismatch(ClientMisconfigured):
    """Discovery names another issuer than the configured one (OpenID Connect Discovery §4.3)."""

    code = "issuer_mismatch"
    diagnosis = "The discovery document at this issuer says that it is another one's."
    cure = "Enter the issuer as that document spells it, a slash at the end included."


class ProviderNotAllowed(ClientMisconfigured):
    """The host policy refuses an address of the provider: our secret goes into no network that others may see."""

    code = "provider_not_allowed"
    diagnosis = "{provider}, or an address it names for tokens or keys, is in a private or reserved network."
    cure = "If that is meant to be so, allow the network with MAILACCOUNTS_ALLOW_PRIVATE_HOSTS."


class ClientLooping(ClientMisconfigured):
    """The provider takes us for a program that runs in circles: every account stays away for an hour."""

    code = "client_looping"
    diagnosis = "{provider} got the same request from this registration too often, and answers it no more for a while."
    cure = "Look into the log for what repeats itself; another program with the same client id may do it too."
    retry_after = 3600.0


class ClientUnknown(ClientMisconfigured):
    code = "client_unknown"
    diagnosis = "{provider} doesn't know this client id."
    cure = (
        "Compare the client id with the provider's console; the registration has to be in this tenant, or open to "
        "other organisations."
    )


class ClientRefused(ClientMisconfigured):
    """``invalid_client`` without a reason: the client id, or what proves that it is us."""

    code = "client_refused"
    diagnosis = "{provider} doesn't accept this client id with this secret or key."
    cure = "Compare both with the provider's console; if in doubt, make a new secret there and enter it here."


class ClientSecretRefused(ClientRefused):
    code = "client_secret_refused"
    diagnosis = "{provider} doesn't accept the secret, certificate or key."
    cure = "Make a new one in the provider's console and enter it here: the secret's value, not its id."


class ClientSecretExpired(ClientSecretRefused):
    code = "client_secret_expired"
    diagnosis = "The secret or certificate has expired."
    cure = "Make a new one in the provider's console and enter it here."


class RedirectUriUnknown(ClientMisconfigured):
    code = "redirect_uri_unknown"
    diagnosis = "The redirect URI of this installation isn't registered with {provider}."
    cure = "Add it in the provider's console, exactly as it is shown here."


class AppOnlyOff(ClientMisconfigured):
    """Access without users was asked for, which no administrator has switched on for the registration."""

    code = "app_only_off"
    sentence = "This installation doesn't open mailboxes at {provider} without their users."
    next_step = "Whoever runs this installation can switch that on for the app registration."
    diagnosis = "Access without users is switched off for this registration, or {provider} has no such thing."
    cure = "Switch it on in the admin once the organisation's administrator has agreed."


class AppRolesMissing(ClientMisconfigured):
    """A token in our own name that opens nothing: Entra issues such tokens without any role."""

    code = "app_roles_missing"
    diagnosis = "{provider} gives us tokens of our own, but without the role to read mail (IMAP.AccessAsApp)."
    cure = (
        "In the provider's console add the application permission IMAP.AccessAsApp of Office 365 Exchange Online, and "
        "have an administrator grant it."
    )
