"""Signing in: a refused token is renewed and tried once more, a refused password never is."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.utils import timezone

from mailaccounts.backends.base import NoTokens
from mailaccounts.backends.password import PasswordBackend
from mailaccounts.crypto import Secret
from mailaccounts.errors import GrantRevoked, PasswordRejected, TokenRejected
from mailaccounts.models import Credential, CredentialState, Grant, GrantStatus, MailAccount
from mailaccounts.services.signing_in import login
from mailaccounts.services.signing_in.login import open_imap, open_smtp, verify
from mailaccounts.services.signing_in.probe import probe_account
from mailaccounts.services.signing_in.tokens import GrantTokens, IssuedTokens
from tests.app.builders import make_account, make_user
from tests.sandbox_crm import connect_by_password, issue, make_real_grant, switch_by_consent

if TYPE_CHECKING:
    from collections.abc import Callable

    from mailaccounts.mail.sasl import Authenticator, SaslMechanism
    from tests.sandbox_fixtures import SandboxMailbox

pytestmark = pytest.mark.django_db(transaction=True)


class Counted:
    """An authenticator that notes each login it was asked for, and whether with a fresh token."""

    def __init__(self, inner: Authenticator) -> None:
        self.inner, self.asked = inner, list[bool]()

    def mechanism(self, offered: frozenset[str], *, fresh: bool = False) -> SaslMechanism:
        self.asked.append(fresh)
        return self.inner.mechanism(offered, fresh=fresh)


@pytest.fixture
def account(anna: SandboxMailbox) -> MailAccount:
    """Anna's account, switched to OAuth."""
    return switch_by_consent(connect_by_password(anna, make_user()), anna)


@pytest.mark.parametrize("open_session", [open_imap, open_smtp])
def test_a_refused_token_is_renewed_and_tried_once_more(
    account: MailAccount, anna: SandboxMailbox, open_session: Callable[[MailAccount], login.Session]
) -> None:
    anna.sandbox.idp.faults.expire_access_tokens(anna.address)
    with open_session(account):
        pass
    assert Grant.objects.get().version == 1


def test_a_good_token_is_not_renewed(account: MailAccount) -> None:
    for _ in range(2):
        with open_imap(account), open_smtp(account):
            pass
    assert Grant.objects.get().version == 0


def test_a_revoked_grant_asks_the_owner_to_reconnect(account: MailAccount, anna: SandboxMailbox) -> None:
    anna.sandbox.idp.faults.revoke(anna.address)
    with pytest.raises(GrantRevoked) as caught:
        open_imap(account)
    assert caught.value.remedy == "reconnect"
    assert Grant.objects.get().status == GrantStatus.ENDED


def test_a_token_that_stays_refused_is_tried_twice_and_no_more(
    account: MailAccount, anna: SandboxMailbox, new_mailbox: Callable[[], SandboxMailbox]
) -> None:
    account.credentials.filter(backend="xoauth2").update(username=new_mailbox().address)
    with pytest.raises(TokenRejected):
        open_imap(account)
    assert Grant.objects.get().version == 1


def test_a_refused_password_is_tried_once(anna: SandboxMailbox) -> None:
    wrong = Counted(PasswordBackend().authenticator(anna.address, Secret("wr0ng"), NoTokens()))
    with pytest.raises(PasswordRejected):
        login._open(login.ImapSession, anna.sandbox.imap, wrong)
    assert wrong.asked == [False]


def test_a_new_token_is_proven_with_one_attempt(
    anna: SandboxMailbox, new_mailbox: Callable[[], SandboxMailbox]
) -> None:
    backend = login.backend("xoauth2")
    stranger = IssuedTokens(issue(new_mailbox()).token)
    counted = Counted(backend.authenticator(anna.address, Secret(b""), stranger))
    with pytest.raises(TokenRejected):
        verify(imap=anna.sandbox.imap, smtp=anna.sandbox.smtp, authenticator=counted)
    assert counted.asked == [False]


def test_a_proof_tells_what_was_seen(anna: SandboxMailbox) -> None:
    anna.append(b"Subject: one\r\n\r\n")
    password = PasswordBackend().authenticator(anna.address, Secret(anna.password), NoTokens())
    proof = verify(imap=anna.sandbox.imap, smtp=anna.sandbox.smtp, authenticator=password)
    assert proof.inbox.exists == 1
    assert proof.inbox.uidvalidity
    assert "IMAP4REV1" in proof.capabilities
    assert proof.smtp
    assert timezone.now() - proof.at < timedelta(minutes=1)
    assert not verify(imap=anna.sandbox.imap, smtp=None, authenticator=password).smtp


def test_a_grant_that_is_gone_is_an_ended_one(account: MailAccount) -> None:
    grant = Grant.objects.get()
    account.delete()
    Grant.objects.all().delete()
    with pytest.raises(GrantRevoked):
        GrantTokens(grant.pk).access_token()


def test_a_shared_mailbox_is_opened_as_itself_and_sent_from_by_the_person(
    anna: SandboxMailbox, new_mailbox: Callable[[], SandboxMailbox]
) -> None:
    sandbox, info = anna.sandbox, new_mailbox()
    sandbox.add_user(dataclasses.replace(anna.user, shared=(info.address,)))
    account = make_account(
        address=info.address,
        imap_host=sandbox.imap.host,
        imap_port=sandbox.imap.port,
        smtp_host=sandbox.smtp.host,
        smtp_port=sandbox.smtp.port,
    )
    credential = Credential.objects.create(
        account=account,
        backend="xoauth2",
        username=info.address,
        smtp_username=anna.address,
        grant=make_real_grant(anna),
        state=CredentialState.ACTIVE,
    )

    with open_imap(account) as imap, open_smtp(account):
        assert imap.select("INBOX").exists == 0
    assert not [step.error for step in probe_account(account) if step.error]
    Credential.objects.filter(pk=credential.pk).update(smtp_username="")
    with pytest.raises(TokenRejected):
        open_smtp(account)
