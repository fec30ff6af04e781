"""App registrations at work: a refused secret gives way to the next one, and trouble of ours is one alarm.

An alarm belongs to the registration and never to an account: the first refusal raises it, every other one finds it
there, and the first success ends it.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar, cast

from django.utils import timezone

from mailaccounts.errors import ClientMisconfigured, MailAccountsError
from mailaccounts.models import AccountStatus, CredentialState, MailAccount, OAuthClient
from mailaccounts.services.limits.lease import FREE
from mailaccounts.services.registering import clients
from mailaccounts.services.telling.operators import tell

if TYPE_CHECKING:
    from collections.abc import Callable

    from mailaccounts.crypto import Secret
    from mailaccounts.fields import Sealed
    from mailaccounts.oauth.provider import TokenProvider
    from mailaccounts.oauth.types import GrantState

Answer = TypeVar("Answer")

logger = logging.getLogger(__name__)


def ask(client: OAuthClient, work: Callable[[TokenProvider], Answer], *, proves: bool = True) -> Answer:
    """What ``work`` gets from the provider of ``client``; for work that takes the client's secret.

    Where the secret is refused, the one that has replaced it meanwhile or the next one gets a try, once. ClientMissing
    and what ``work`` raises; ClientMisconfigured raises the alarm as well, and success ends it if it ``proves`` that
    the registration works.
    """
    speaker = clients.provider_for(client)
    tried = clients.secret_in_force(client)
    try:
        answer = work(speaker)
    except ClientMisconfigured as error:
        client = OAuthClient.objects.get(pk=client.pk)  # another worker may have promoted, somebody have replaced it
        answer = _ask_again(client, work, tried=tried, refused=error)
    if proves:
        clear_alarm(client)
    return answer


def revoke(client: OAuthClient, state: GrantState) -> bool:
    """Tells the provider of ``client`` that a grant is no longer wanted; False when it has no way of being told. Some
    providers want no secret for that, so that it proves nothing. Raises what ``ask`` does."""
    return ask(client, lambda provider: provider.revoke(state), proves=False)


def revoke_if_possible(client: OAuthClient, state: GrantState) -> None:
    """The same, but a failure is noted and goes no further."""
    try:
        revoke(client, state)
    except MailAccountsError as error:
        logger.warning("a grant couldn't be revoked at %s: %s", client.provider, error.code)


def _ask_again(
    client: OAuthClient, work: Callable[[TokenProvider], Answer], *, tried: Secret, refused: ClientMisconfigured
) -> Answer:
    in_force, following = clients.secret_in_force(client), clients.next_secret(client)
    for secret in (in_force, following):
        if secret is None or secret.reveal() == tried.reveal():
            continue
        try:
            answer = work(clients.provider_for(client, secret=secret))
        except ClientMisconfigured:
            continue
        if secret is following:
            promote(client)
        return answer
    raise_alarm(client, refused)
    raise refused


def promote(client: OAuthClient) -> bool:
    """Puts the next secret in the place of the one in force, which is destroyed; False when there is none.

    Of several workers one does it: the others find that what they read as the next secret is no longer that.
    """
    following = clients.next_secret(client)
    if following is None:
        return False
    as_read = cast("Sealed", client.__dict__["next_secret"])  # as it stands in the column: the attribute would open it
    field = OAuthClient._meta.get_field("client_secret")
    promoted = OAuthClient.objects.filter(pk=client.pk, next_secret=as_read).update(
        client_secret=field.seal(client, following),
        secret_expires_on=client.next_secret_expires_on,
        next_secret=None,
        next_secret_expires_on=None,
    )
    client.refresh_from_db()
    if promoted:
        logger.info("app registration %s: the next secret took over", client.pk)
    return bool(promoted)


def allow_app_only(client: OAuthClient) -> None:
    """Lets the registration be used without users; each organisation has to let it in as well."""
    OAuthClient.objects.filter(pk=client.pk).update(app_only=True)
    client.app_only = True


def raise_alarm(client: OAuthClient, error: ClientMisconfigured, *, known: bool = False) -> None:
    """Tells the operator once that the registration doesn't work; ``known``: they look at it just now.

    Accounts are left alone: it isn't their fault.
    """
    row = OAuthClient.objects.filter(pk=client.pk)
    if not row.filter(alarm_at__isnull=True).update(alarm_code=error.code, alarm_at=timezone.now()):
        row.exclude(alarm_code=error.code).update(alarm_code=error.code)
        return
    logger.error("app registration %s with %s doesn't work: %s", client.pk, client.provider, error.code)
    if not known:
        tell(
            f"The app registration “{client.name}” doesn't work",
            f"{Trouble.of(error)}\n\nIt is in the admin, under Mail accounts → App registrations. No mailbox is to "
            "blame: those that need it wait, and go on by themselves once it works.",
        )


def clear_alarm(client: OAuthClient) -> None:
    """The registration works: evidence ends an alarm, and the accounts that waited for it are due."""
    if not client.alarm_code:
        return
    if OAuthClient.objects.filter(pk=client.pk, alarm_at=client.alarm_at).update(alarm_code="", alarm_at=None):
        logger.info("app registration %s works again", client.pk)
        now = timezone.now()
        waiting = MailAccount.objects.filter(
            FREE,  # whoever has just found out is at work already
            status=AccountStatus.WAITING,
            next_sync_at__gt=now,
            credentials__grant__client=client,
            credentials__state=CredentialState.ACTIVE,
        )
        MailAccount.objects.filter(pk__in=waiting.values("pk")).update(next_sync_at=now)
    client.alarm_code, client.alarm_at = "", None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """What is wrong with a registration and what helps, for whoever runs this installation."""

    diagnosis: str
    cure: str

    @classmethod
    def of(cls, error: ClientMisconfigured) -> Trouble:
        return cls(diagnosis=error.diagnosis.format_map(error.facts), cure=error.cure.format_map(error.facts))

    def __str__(self) -> str:
        return f"{self.diagnosis} {self.cure}"


def alarm_of(client: OAuthClient) -> Trouble | None:
    """What the alarm of ``client`` is about."""
    if not client.alarm_code:
        return None
    meaning = _meanings(ClientMisconfigured).get(client.alarm_code, ClientMisconfigured)
    return Trouble.of(meaning(provider=clients.label(client.provider)))


def _meanings(root: type[ClientMisconfigured]) -> dict[str, type[ClientMisconfigured]]:
    """Every trouble with a registration, by its code."""
    found = {root.code: root}
    for each in root.__subclasses__():
        found |= _meanings(each)
    return found
