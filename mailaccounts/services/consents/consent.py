"""A person's consent at an identity provider: offered, begun, completed (RFC 9700)."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.views.decorators.debug import sensitive_variables

from mailaccounts.backends.base import ConsentBackend
from mailaccounts.backends.registry import backends
from mailaccounts.errors import ClientMisconfigured, ClientMissing, ConsentExpired, MailAccountsError, VaultError
from mailaccounts.hooks import hooks
from mailaccounts.models import AuditAction, MailAccount
from mailaccounts.oauth.types import ConsentRequest
from mailaccounts.services.connecting import connect, consent_attempts
from mailaccounts.services.connecting.detect import provider_of
from mailaccounts.services.connecting.granted import kept_or_given_back
from mailaccounts.services.connecting.identity import pinned
from mailaccounts.services.connecting.wish import Wish
from mailaccounts.services.limits.attempts import count_attempt
from mailaccounts.services.moving import migrate
from mailaccounts.services.registering import clients, registrations
from mailaccounts.services.signing_in.credentials import in_use
from mailaccounts.services.trail.audit import note

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from uuid import UUID

    from mailaccounts.models import ConsentAttempt, OAuthClient
    from mailaccounts.oauth.types import Scope
    from mailaccounts.services.connecting.account_draft import AccountDraft


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A registration to sign in with, and every permission that is asked for with it and why.

    ``label`` tells it from the others on offer.
    """

    client: OAuthClient
    label: str
    scopes: tuple[Scope, ...]

    @property
    def tells_sending_apart(self) -> bool:
        """Whether leave to send is a permission of its own; where it isn't, leave to read is leave to send."""
        return any(scope.sends for scope in self.scopes)

    def asked(self, *, sends: bool) -> tuple[Scope, ...]:
        """What is asked for: who only reads is never asked for leave to send."""
        return tuple(scope for scope in self.scopes if sends or not scope.sends)


def offers(mailbox: MailAccount | AccountDraft) -> list[Offer]:
    """The registrations that a mailbox can be signed in with, the one in use first; none without one.

    Where the mail server is a known provider's, only that provider's own; elsewhere it may be anybody's customer.
    """
    if backend_slug() is None:
        return []
    preset = provider_of(mailbox)
    current = in_use(mailbox) if isinstance(mailbox, MailAccount) else None
    grant = current.grant if current else None
    found = [each for each in clients.offered() if preset is None or each.provider == preset.provider]
    found.sort(key=lambda client: grant is None or client.pk != grant.client_id)
    return list(_described(found))


def pick(mailbox: MailAccount | AccountDraft, client: UUID | str) -> Offer:
    """The offer with the registration ``client``; ClientMissing when there is none."""
    for offer in offers(mailbox):
        if str(offer.client.pk) == str(client):
            return offer
    raise ClientMissing(provider="this provider")


def begin(wish: Wish, *, user: Any, offer: Offer, redirect_uri: str, account: MailAccount | None = None) -> str:
    """Starts an attempt and returns the URL to send the browser to. ``account`` is None for a mailbox that isn't
    connected yet.

    AlreadyConnected and InvalidInput for one that can't be connected, TooManyAttempts, ClientMissing without a backend
    for consents; ProviderUnavailable and ClientMisconfigured from the provider.
    """
    slug = backend_slug()
    if slug is None:
        raise ClientMissing(provider=offer.label)
    if account is None:
        connect.checked(wish.draft)
    count_attempt(user_id=user.pk, host=wish.draft.imap.host)
    request = ConsentRequest(
        redirect_uri=redirect_uri,
        scopes=tuple(scope.name for scope in offer.asked(sends=wish.sends)),
        login_hint=_login_hint(wish, account),
    )
    try:
        authorization = clients.provider_for(offer.client).begin(request)
    except ClientMisconfigured as error:
        registrations.raise_alarm(offer.client, error)
        raise
    consent_attempts.remember(
        user=user,
        client=offer.client,
        backend=slug,
        state=authorization.state,
        flow=authorization.flow,
        wish=wish.as_json(),
        account=account,
    )
    return authorization.url


@sensitive_variables("flow")
def complete(provider: str, params: Mapping[str, str], *, user: Any) -> MailAccount:
    """Uses up the attempt that ``params`` answer, proves the new sign-in, and connects the mailbox or switches the
    account to it.

    ConsentExpired unless the same user began it with the same provider within ten minutes, it wasn't used, and they
    may still manage the account. Any other error leaves everything as it was: it is noted in the audit trail, and what
    was just granted is given back.
    """
    attempt, flow = _take(provider, params, user=user)
    account = attempt.account
    wish = Wish.from_json(attempt.wish, owner=account.owner if account else user)
    try:
        issued = registrations.ask(attempt.client, lambda speaker: speaker.complete(flow, params))
        with kept_or_given_back(wish, issued, client=attempt.client, backend=attempt.backend) as granted:
            if account is None:
                return connect.connect_granted(granted, actor=user)
            granted.insist_on_person(pinned(account))
            step = migrate.consented(account, granted, user=user)
            if step is None:
                return connect.reconnect_granted(account, granted, actor=user)
    except MailAccountsError as error:
        whose = account or MailAccount(owner_id=user.pk, address=wish.draft.address)
        note(
            AuditAction.CONSENT_REFUSED,
            whose,
            actor=user,
            code=error.code,
            purpose=wish.purpose,
            client=attempt.client.name,
        )
        raise
    migrate.go_on(step, actor=user)
    granted.insist_on_person(pinned(account))  # or somebody else's consent has taken this one's place
    return account


def _take(provider: str, params: Mapping[str, str], *, user: Any) -> tuple[ConsentAttempt, dict[str, Any]]:
    """The attempt that is answered; ConsentExpired also for an account that isn't the user's to manage any more."""
    attempt, flow = consent_attempts.take(
        params.get("state", ""), user=user, provider=provider, backend=backend_slug()
    )
    if not (attempt.account is None or hooks().can_manage(user, attempt.account)):
        raise ConsentExpired
    return attempt, flow


def _described(found: Sequence[OAuthClient]) -> Iterator[Offer]:
    """Offers of these registrations, by what people call the provider; where that is the same for several, by name."""
    speakers = []
    for client in found:
        with suppress(VaultError):  # whose secret can't be opened can't be used
            speakers.append((client, clients.provider_for(client)))
    labels = [speaker.label for _, speaker in speakers]
    for client, speaker in speakers:
        label = speaker.label if labels.count(speaker.label) == 1 else f"{speaker.label} ({client.name})"
        yield Offer(client=client, label=label, scopes=speaker.scopes)


def backend_slug() -> str | None:
    """The backend that uses a person's consent, if the settings have one."""
    return next(
        (slug for slug, each in backends().items() if isinstance(each, ConsentBackend) and not each.app_only), None
    )


def _login_hint(wish: Wish, account: MailAccount | None) -> str:
    """Whom the provider should expect: who consented before, else the mailbox itself unless it is shared."""
    before = pinned(account) if account else None
    if before is not None:
        return before.address
    return "" if wish.shared else wish.mailbox
