"""What the admin says of an app registration: plain values for its templates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailaccounts.admin.pages import ShownStep
from mailaccounts.errors import ClientMisconfigured, VaultError
from mailaccounts.oauth import proofs
from mailaccounts.services.registering import clients, registrations
from mailaccounts.services.registering.verify_client import StepName

if TYPE_CHECKING:
    from mailaccounts.errors import MailAccountsError
    from mailaccounts.models import OAuthClient
    from mailaccounts.services.registering.verify_client import Step

TITLES = {
    StepName.DISCOVERY: ("Discovery", "The provider answers at this authority."),
    StepName.CLIENT_ID: ("Client ID", "The provider knows it."),
    StepName.SECRET: ("Secret", "The provider accepts it."),
    StepName.NEXT_SECRET: ("Next secret", "The provider accepts it: it can take over."),
    StepName.REDIRECT_URI: ("Redirect URI", "The provider sends people back to this installation."),
    StepName.APP_ONLY: ("Access without users", "We get tokens of our own."),
}


def shown(step: Step) -> ShownStep:
    """A step of a verification in sentences of ours."""
    title, well = TITLES[step.name]
    sentence, next_step, code = f"{well} {step.found}".strip(), "", ""
    if step.unknown:
        sentence = step.unknown.value
    elif step.error:
        sentence, next_step = _words(step.error)
        code = step.error.code
    return ShownStep(
        name=step.name,
        title=title,
        about=step.about,
        status=step.status,
        milliseconds=step.milliseconds,
        sentence=sentence,
        next_step=next_step,
        code=code,
    )


def _words(error: MailAccountsError) -> tuple[str, str]:
    """What is wrong and what helps: in the words for whoever runs this installation, where there are such."""
    if isinstance(error, ClientMisconfigured):
        trouble = registrations.Trouble.of(error)
        return trouble.diagnosis, trouble.cure
    return error.sentence.format_map(error.facts), error.next_step.format_map(error.facts)


def told_by_secret(client: OAuthClient) -> tuple[tuple[str, str], ...]:
    """What may be shown of the secret in force: a certificate's thumbprints, a service account's name."""
    try:
        return proofs.read(client.proof, clients.secret_in_force(client).reveal_text()).told
    except (VaultError, ValueError):
        return ()
