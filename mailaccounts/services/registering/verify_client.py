"""An app registration, tried step by step at its provider without anybody signing in: what works, and what helps."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING

from django.utils import timezone

from mailaccounts.errors import (
    AppRolesMissing,
    ClientMisconfigured,
    ClientSecretRefused,
    ClientUnknown,
    MailAccountsError,
    RedirectUriUnknown,
)
from mailaccounts.models import ClientProof, OAuthClient
from mailaccounts.oauth.clouds import SHARED_TENANTS
from mailaccounts.oauth.discovery import documents
from mailaccounts.oauth.provider import AppOnlyProvider
from mailaccounts.oauth.types import ConsentRequest
from mailaccounts.services.registering import clients, registrations

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

READING_ROLE = "IMAP.AccessAsApp"
KNOWN_ROLES = frozenset({READING_ROLE, "POP.AccessAsApp", "SMTP.SendAsApp"})  # the others may be anybody's text
TELLING = (ClientSecretRefused, RedirectUriUnknown)  # refusals of a client that is known


class StepName(StrEnum):
    DISCOVERY = "discovery"
    CLIENT_ID = "client_id"
    SECRET = "secret"  # noqa: S105 - a name
    NEXT_SECRET = "next_secret"  # noqa: S105 - a name
    REDIRECT_URI = "redirect_uri"
    APP_ONLY = "app_only"


class Unknown(StrEnum):
    """Why a step says nothing."""

    EARLIER = "An earlier step failed."
    NEXT = "The next step says what can be told."
    NEEDS_PERSON = "It can't be told without somebody signing in."
    NEEDS_TENANT = "That takes a tenant of its own: a directory's id or domain instead of “common” and the like."
    NEEDS_MAILBOX = "That takes a mailbox of the organisation to try: give its address."


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """``error`` says why it failed, ``unknown`` why it wasn't tried or came to nothing; ``found`` what there is.

    ``about`` is which redirect URI was tried.
    """

    name: StepName
    about: str = ""
    milliseconds: int = 0
    error: MailAccountsError | None = None
    unknown: Unknown | None = None
    found: str = ""

    @property
    def status(self) -> str:
        return "failed" if self.error else "unknown" if self.unknown else "ok"


def verify(client: OAuthClient, *, redirect_uris: Iterable[str], mailbox: str = "") -> list[Step]:
    """Tries what the row of ``client`` says, and notes whether it works: when it was verified, or the alarm.

    ``mailbox`` is one to try access without users with, where that is granted for each mailbox.
    """
    documents.forget()
    steps = list(_Verification(client, redirect_uris=tuple(redirect_uris), mailbox=mailbox).run())
    _record(client, steps)
    return steps


def _record(client: OAuthClient, steps: list[Step]) -> None:
    """Only what the registration itself is refused for is its alarm; a proven secret ends one."""
    by_name = {step.name: step for step in steps}
    failed = [step for step in steps if step.error]
    ours = [step.error for step in failed if step.name not in {StepName.NEXT_SECRET, StepName.APP_ONLY}]
    OAuthClient.objects.filter(pk=client.pk).update(verified_at=None if failed else timezone.now())
    if ours and isinstance(ours[0], ClientMisconfigured):
        registrations.raise_alarm(client, ours[0], known=True)
    elif not ours and by_name[StepName.SECRET].status == "ok":
        registrations.clear_alarm(client)
    client.refresh_from_db()


class _Verification:
    """The steps of one verification. Whether the client ID is known follows from what the others are told."""

    def __init__(self, client: OAuthClient, *, redirect_uris: tuple[str, ...], mailbox: str) -> None:
        self._client, self._redirect_uris, self._mailbox = client, redirect_uris, mailbox

    def run(self) -> Iterator[Step]:
        found = self._try(StepName.DISCOVERY, self._discover)
        yield found
        answers = [
            Step(name=name, about=about, unknown=Unknown.EARLIER)
            if found.error
            else self._try(name, question, about=about)
            for name, about, question in self._questions()
        ]
        yield _client_id(answers)
        for answer in answers:
            unknown_client = isinstance(answer.error, ClientUnknown)
            yield replace(answer, error=None, unknown=Unknown.EARLIER) if unknown_client else answer

    def _questions(self) -> Iterator[tuple[StepName, str, Callable[[], str | Unknown]]]:
        """What applies to this registration, in the order in which it is asked."""
        yield StepName.SECRET, "", self._secret
        if clients.next_secret(self._client):
            yield StepName.NEXT_SECRET, "", self._next_secret
        if self._client.proof != ClientProof.SERVICE_ACCOUNT:  # with which nobody is sent anywhere
            yield from ((StepName.REDIRECT_URI, uri, partial(self._redirect, uri)) for uri in self._redirect_uris)
        if self._client.app_only:
            yield StepName.APP_ONLY, "", self._access_without_users

    def _try(self, name: StepName, question: Callable[[], str | Unknown], *, about: str = "") -> Step:
        started = time.monotonic()
        answer: str | Unknown = ""
        error: MailAccountsError | None = None
        try:
            answer = question()
        except MailAccountsError as refusal:
            error = refusal
        unknown = answer if isinstance(answer, Unknown) else None
        spent = round((time.monotonic() - started) * 1000)
        found = "" if unknown else answer
        return Step(name=name, about=about, milliseconds=spent, error=error, unknown=unknown, found=found)

    def _discover(self) -> str:
        self._provider = clients.provider_for(self._client)
        self._provider.look_up()
        return ""

    def _secret(self) -> str | Unknown:
        return "" if self._provider.prove_client() else Unknown.NEEDS_PERSON

    def _next_secret(self) -> str | Unknown:
        following = clients.provider_for(self._client, secret=clients.next_secret(self._client))
        return "" if following.prove_client() else Unknown.NEEDS_PERSON

    def _redirect(self, uri: str) -> str | Unknown:
        scopes = tuple(scope.name for scope in self._provider.scopes)
        known = self._provider.knows_redirect(ConsentRequest(redirect_uri=uri, scopes=scopes))
        return "" if known else Unknown.NEEDS_PERSON

    def _access_without_users(self) -> str | Unknown:
        """A token of our own, and what it may do: for an Entra directory its roles, at Google one mailbox."""
        provider = self._provider
        if not isinstance(provider, AppOnlyProvider) or self._client.tenant.lower() in SHARED_TENANTS:
            return Unknown.NEEDS_TENANT
        per_mailbox = self._client.proof == ClientProof.SERVICE_ACCOUNT
        if per_mailbox and not self._mailbox:
            return Unknown.NEEDS_MAILBOX
        issued = provider.refresh(provider.app_only(mailbox=self._mailbox))
        if per_mailbox:
            return self._mailbox
        if READING_ROLE not in issued.scopes:
            raise AppRolesMissing(provider=provider.label)
        return ", ".join(sorted(issued.scopes & KNOWN_ROLES))


def _client_id(answers: list[Step]) -> Step:
    """Whether the client ID is known: who is told what is wrong with their secret is known too."""
    for answer in answers:
        if isinstance(answer.error, ClientUnknown):
            return replace(answer, name=StepName.CLIENT_ID, about="")
    known = any(answer.status == "ok" or isinstance(answer.error, TELLING) for answer in answers)
    earlier = all(answer.unknown is Unknown.EARLIER for answer in answers)
    unknown = None if known else Unknown.EARLIER if earlier else Unknown.NEXT
    return Step(name=StepName.CLIENT_ID, unknown=unknown)
