"""What a consent has just yielded: proven against the mailbox and stored, or else given back."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from mailaccounts.backends.registry import backend as backend_named
from mailaccounts.crypto import Secret
from mailaccounts.errors import (
    AnotherAddress,
    IdTokenInvalid,
    MailboxRefused,
    ScopeMissing,
    TokenRejected,
    WrongIdentity,
)
from mailaccounts.models import Grant
from mailaccounts.services.connecting.identity import identity_of
from mailaccounts.services.registering import clients, registrations
from mailaccounts.services.signing_in.give_back import goes_on
from mailaccounts.services.signing_in.login import verify
from mailaccounts.services.signing_in.tokens import IssuedTokens

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mailaccounts.mail.sasl import Authenticator
    from mailaccounts.models import OAuthClient
    from mailaccounts.oauth.types import Identity, Issued
    from mailaccounts.services.connecting.wish import Wish
    from mailaccounts.services.signing_in.login import Proof


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    """``grant`` is the row it may become, not saved yet."""

    wish: Wish
    issued: Issued
    backend: str
    grant: Grant

    @property
    def smtp_username(self) -> str:
        """Who signs in to send: "" for the mailbox itself."""
        person = self.grant.signed_in_as
        return person if self.wish.shared and person.lower() != self.wish.mailbox.lower() else ""

    @property
    def credential(self) -> dict[str, Any]:
        """What the account signs in with from now on."""
        return {
            "backend": self.backend,
            "username": self.wish.mailbox,
            "smtp_username": self.smtp_username,
            "grant": self.grant,
        }

    @property
    def facts(self) -> dict[str, Any]:
        """What the audit trail keeps of it."""
        return {
            "backend": self.backend,
            "identity": asdict(identity_of(self.grant)),
            "shared": bool(self.smtp_username),
            "sends": self.wish.sends,
        }

    def insist_on_person(self, owner: Identity | None) -> None:
        """Lets nobody but ``owner`` sign an account in; without one, somebody whose address is the mailbox's.

        WrongIdentity; AnotherAddress when the addresses differ and nobody said that they may. Addresses are a hint,
        not a proof (Entra's ID token claims reference): what counts is that the mail server opens the mailbox.
        """
        wish, who = self.wish, identity_of(self.grant)
        facts = {
            "provider": clients.label(self.grant.client.provider),
            "signed_in_as": who.address or "somebody",
            "address": wish.draft.address,
        }
        if owner is not None and not _same(owner, who):
            raise WrongIdentity(**facts, expected=owner.address or "somebody else")
        names = {wish.draft.address.lower(), wish.mailbox.lower(), ""}
        if owner is None and not wish.shared and who.address.lower() not in names:
            raise AnotherAddress(**facts)

    def prove(self, *, owner: Identity | None) -> Proof:
        """That the right person signed in, and that the new token opens the mailbox and, where it shall, sends.

        WrongIdentity; MailboxRefused when the server doesn't open this mailbox for who signed in; and what ``verify``
        raises.
        """
        self.insist_on_person(owner)
        draft = self.wish.draft
        try:
            return verify(
                imap=draft.imap,
                smtp=draft.smtp,
                authenticator=self._authenticator(self.wish.mailbox),
                smtp_authenticator=self._authenticator(self.smtp_username or self.wish.mailbox),
            )
        except TokenRejected:
            raise refused(self.grant, address=draft.address) from None

    def _authenticator(self, username: str) -> Authenticator:
        return backend_named(self.backend).authenticator(username, Secret(b""), IssuedTokens(self.issued.token))


def refused(grant: Grant, *, address: str) -> MailboxRefused:
    """That a mail server doesn't open ``address`` for who consented."""
    who = grant.signed_in_as or "somebody"
    return MailboxRefused(provider=clients.label(grant.client.provider), signed_in_as=who, address=address)


@contextmanager
def kept_or_given_back(wish: Wish, issued: Issued, *, client: OAuthClient, backend: str) -> Iterator[Granted]:
    """What was issued, for a block that proves and stores it. Unless the block does, the provider is told that the
    grant is no longer wanted.

    IdTokenInvalid without an identity to pin the grant to, ScopeMissing where less was granted than asked for.
    """
    grant = None
    try:
        grant = grant_row(issued, client)
        if issued.missing:
            raise ScopeMissing(provider=clients.label(client.provider), scopes=", ".join(issued.missing))
        yield Granted(wish=wish, issued=issued, backend=backend, grant=grant)
    except Exception:
        if grant is None or not goes_on(grant):  # as it may after all: a commit can succeed and its answer be lost
            registrations.revoke_if_possible(client, issued.state)
        raise


def grant_row(issued: Issued, client: OAuthClient) -> Grant:
    """A row for what was issued; IdTokenInvalid without an identity to pin it to."""
    if issued.identity is None:
        raise IdTokenInvalid(provider=clients.label(client.provider))
    return Grant(
        client=client,
        issuer=issued.identity.issuer,
        subject=issued.identity.subject,
        tenant=issued.identity.tenant,
        object_id=issued.identity.object_id,
        signed_in_as=issued.identity.address,
        scopes=" ".join(sorted(issued.scopes)),
        state=Secret(bytes(issued.state)),
        access_token=Secret(issued.token.value),
        expires_at=issued.token.expires_at,
    )


def _same(one: Identity, other: Identity) -> bool:
    """For Entra by tenant and object id, elsewhere by issuer and subject."""
    if one.object_id and other.object_id:
        return (one.tenant, one.object_id) == (other.tenant, other.object_id)
    return (one.issuer, one.subject) == (other.issuer, other.subject)
