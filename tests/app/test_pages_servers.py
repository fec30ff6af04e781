"""An account gets other servers: with its credential typed again, proven there, and nothing of the old ones kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.test import Client

from mailaccounts.models import AuditEntry, Credential, CredentialState, Folder, MailAccount
from mailaccounts.services.registering import clients
from tests.app.builders import make_account, make_credential, make_grant, make_user
from tests.app.pages import problem, server_data

if TYPE_CHECKING:
    from django.http import HttpResponse

    from tests.sandbox_fixtures import SandboxMailbox

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def account(anna: SandboxMailbox) -> MailAccount:
    """Connected somewhere else so far, with a retired credential beside the one in use."""
    account = make_account(address=anna.address, imap_host="old.example.test", smtp_host="old.example.test")
    make_credential(account, secret="0ld")
    made = make_credential(account, state=CredentialState.PENDING, backend="xoauth2", grant=make_grant())
    assert made
    return account


def change(client: Client, account: MailAccount, mailbox: SandboxMailbox, **data: str) -> HttpResponse:
    client.force_login(account.owner)
    servers = server_data(mailbox.sandbox.imap) | server_data(mailbox.sandbox.smtp)
    typed = {"username": mailbox.address, "password": mailbox.password}
    return client.post(f"/settings/email-accounts/{account.pk}/servers/", {**servers, **typed, **data})


def test_the_form_shows_the_servers_and_no_secret(client: Client, account: MailAccount) -> None:
    client.force_login(account.owner)
    page = client.get(f"/settings/email-accounts/{account.pk}/servers/").content.decode()
    assert page.count("old.example.test") >= 2
    assert "0ld" not in page.replace("old.example.test", "")


def test_new_servers_are_used_once_they_are_proven(client: Client, account: MailAccount, anna: SandboxMailbox) -> None:
    Folder.objects.create(account=account, name="INBOX", uidvalidity=7, last_uid=99)
    assert change(client, account, anna).status_code == 302
    account.refresh_from_db()
    assert (account.imap, account.smtp) == (anna.sandbox.imap, anna.sandbox.smtp)
    assert account.folders.get().last_uid == 0  # another server's UIDs mean other messages
    assert "hosts_changed" in AuditEntry.objects.values_list("action", flat=True)


def test_what_the_old_servers_were_trusted_with_is_destroyed(
    client: Client, account: MailAccount, anna: SandboxMailbox
) -> None:
    change(client, account, anna)
    kept = Credential.objects.get(account=account)
    assert (kept.state, kept.secret.reveal_text()) == (CredentialState.ACTIVE, anna.password)


@pytest.mark.parametrize(
    ("data", "code"),
    [({"password": "wrong"}, "password_rejected"), ({"imap_host": "nowhere.invalid"}, "host_not_found")],
)
def test_whatever_fails_the_account_stays_as_it_was(
    client: Client, account: MailAccount, anna: SandboxMailbox, data: dict[str, str], code: str
) -> None:
    page = change(client, account, anna, **data)
    assert problem(page)[0] == code
    account.refresh_from_db()
    assert account.imap_host == "old.example.test"
    assert account.credentials.get(state=CredentialState.ACTIVE).secret.reveal_text() == "0ld"


def test_a_server_and_a_credential_are_needed(client: Client, account: MailAccount, anna: SandboxMailbox) -> None:
    for missing in ("imap_host", "password"):
        page = change(client, account, anna, **{missing: ""})
        assert "This field is required" in page.content.decode()
    account.refresh_from_db()
    assert account.imap_host == "old.example.test"


def test_a_consent_at_the_new_servers_will_do_as_well(account: MailAccount, anna: SandboxMailbox) -> None:
    browser = Client(SERVER_NAME="localhost")  # as which the provider knows us
    Credential.objects.filter(account=account, state=CredentialState.PENDING).delete()
    registration = str(clients.registered("microsoft").pk)
    leaving = change(browser, account, anna, offer=registration, username="", password="")
    params = anna.sandbox.idp.person(anna.user).consent(leaving["Location"])
    page = browser.get("/oauth/microsoft/callback/", params, follow=True)
    account.refresh_from_db()
    assert (account.imap, account.smtp) == (anna.sandbox.imap, anna.sandbox.smtp), page.content.decode()
    assert account.credentials.get(state=CredentialState.ACTIVE).backend == "xoauth2"


def test_somebody_elses_servers_are_not_there(client: Client, account: MailAccount) -> None:
    client.force_login(make_user())
    assert client.get(f"/settings/email-accounts/{account.pk}/servers/").status_code == 404
