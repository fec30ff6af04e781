"""The pages of a migration: why to switch, how far it is, the way back, the certificate."""

from __future__ import annotations

import json
import re
from html import unescape
from typing import TYPE_CHECKING

import pytest
from django.test import Client
from django.utils import timezone

from mailaccounts.crypto import Secret
from mailaccounts.models import (
    AccountStatus,
    AuditAction,
    AuditEntry,
    Credential,
    CredentialState,
    Grant,
    MailAccount,
    MigrationStep,
)
from mailaccounts.rules.migration_states import MigrationState
from mailaccounts.services.connecting.disconnect import disconnect
from mailaccounts.services.syncing.sync import sync_account
from tests.app.builders import make_account, make_credential, make_user
from tests.app.pages import problem
from tests.app.test_pages_switch import Visit

if TYPE_CHECKING:
    from django.http import HttpResponse
    from pytest_django.fixtures import SettingsWrapper

    from tests.sandbox_fixtures import SandboxMailbox

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def visit(anna: SandboxMailbox) -> Visit:
    return Visit(anna)


def text_of(response: HttpResponse) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).split())


def switch(visit: Visit) -> HttpResponse:
    return visit.return_by(visit.at_provider(visit.leave()))


def test_the_account_says_what_came_of_the_comparison(visit: Visit) -> None:
    result = text_of(switch(visit))
    assert "continuity certificate says so once the first sync has run through" in result
    assert "at least 7 days and 3 clean syncs" in result
    assert "written by the first sync that runs through" in text_of(visit.client.get(visit.address))
    assert "until then there is nothing to say" in text_of(visit.client.get(visit.address + "certificate/"))
    assert visit.client.get(visit.address + "certificate/json/")["Location"] == visit.address + "certificate/"
    sync_account(visit.account.pk)
    assert "0 lost, 0 doubled, 0 downloaded again" in text_of(visit.client.get(visit.address))
    page = visit.client.get(visit.address + "certificate/")
    assert 'data-certificate="whole"' in page.content.decode()
    assert "Counted by comparing what the old sign-in saw" in text_of(page)
    answer = visit.client.get(visit.address + "certificate/json/")
    assert answer["Content-Disposition"].startswith("attachment")
    found = json.loads(answer.content)
    assert (found["account"], found["lost"], found["compared_with"]) == (visit.account.address, 0, "old")


def test_the_certificate_of_a_dead_password_says_what_it_was_compared_with(visit: Visit) -> None:
    sync_account(visit.account.pk)
    credential = Credential.objects.get()
    credential.secret = Secret("changed-elsewhere")
    credential.save()
    switch(visit)
    sync_account(visit.account.pk)
    assert "Compared with the store: the old sign-in was refused already" in text_of(
        visit.client.get(visit.address + "certificate/")
    )


def test_a_certificate_that_misses_something_says_so(visit: Visit) -> None:
    switch(visit)
    sync_account(visit.account.pk)
    step = MigrationStep.objects.get()
    step.certificate |= {"expected": 20, "present": 17, "deleted_meanwhile": 1, "lost": 2, "fetched_again": 4}
    step.save()
    page = visit.client.get(visit.address + "certificate/")
    assert 'data-certificate="incomplete"' in page.content.decode()
    words = text_of(page)
    assert "Not complete" in words
    assert "2 messages can't be found any more. Go back to the old sign-in if you need them" in words
    assert "1 message were deleted" not in words
    assert "1 message was deleted or moved in the mailbox meanwhile" in words
    for nothing_compared in ({"compared_with": "nothing"}, {"folders_left_out": 3}):
        step.certificate |= {"lost": 0, "fetched_again": 0, "compared_with": "old"} | nothing_compared
        step.save()
        assert "Not complete" in text_of(visit.client.get(visit.address + "certificate/"))


@pytest.mark.parametrize("page", ["switch/", "go-back/", "certificate/", "certificate/json/"])
def test_pages_of_other_peoples_accounts_do_not_exist(visit: Visit, page: str) -> None:
    switch(visit)
    other = Client()
    other.force_login(make_user())
    assert other.get(visit.address + page).status_code == 404
    for action in ("switch/go-on/", "switch/cancel/", "go-back/"):
        assert other.post(visit.address + action).status_code == 404
    assert MigrationStep.objects.get().state == MigrationState.SWITCHED


def test_one_button_goes_back_and_the_account_can_be_switched_again(visit: Visit) -> None:
    assert "Go back to Password" in text_of(switch(visit))
    assert "Go back to Password" in text_of(visit.client.get(visit.address))
    page = text_of(visit.client.post(visit.address + "go-back/", follow=True))
    assert "signs in as it did before the switch" in page
    assert "Switch to OAuth" in page and "Go back to" not in page
    assert visit.still_works_as_it_did()
    assert visit.client.get(visit.address + "certificate/")["Location"] == visit.address
    assert "now signs in with Microsoft" in text_of(switch(visit))


def test_a_way_back_that_is_refused_says_so(visit: Visit) -> None:
    switch(visit)
    kept = Credential.objects.get(state=CredentialState.RETIRED)
    kept.secret = Secret("changed-elsewhere")
    kept.save()
    code, words = problem(visit.client.post(visit.address + "go-back/"))
    assert code == "way_back_refused"
    assert words.endswith("Nothing was changed: the account goes on with its new sign-in.")


def test_a_way_back_that_is_gone_says_so(visit: Visit) -> None:
    switch(visit)
    Credential.objects.filter(state=CredentialState.RETIRED).delete()
    page = visit.client.post(visit.address + "go-back/")
    assert problem(page)[0] == "way_back_gone"
    assert "is not kept any more. To sign in another way, reconnect" in text_of(page)


def test_trouble_that_passes_leaves_the_switch_waiting(visit: Visit, settings: SettingsWrapper) -> None:
    """The mail server is out of order when its owner comes back; later it answers again."""
    callback = visit.at_provider(visit.leave())
    visit.mailbox.sandbox.idp.faults.fail(status=500, times=20, endpoint="introspect")
    words = text_of(visit.return_by(callback))
    assert "Not switched yet" in words
    assert "You need not wait here: we go on by ourselves." in words
    step = MigrationStep.objects.get()
    assert (step.state, step.attempts) == (MigrationState.CONSENTED, 1)
    assert step.next_at > timezone.now()
    assert Credential.objects.get(state=CredentialState.ACTIVE).backend == "password"
    page = text_of(visit.client.get(visit.address))
    assert "We have your permission, and are proving it." in page and "The next try is at" in page
    assert "Switch to OAuth" not in page
    visit.mailbox.sandbox.idp.faults.reset()
    assert "is switched to OAuth" in text_of(visit.client.post(visit.address + "switch/go-on/", follow=True))
    assert MigrationStep.objects.get().state == MigrationState.SWITCHED


def test_buttons_that_sign_in_are_not_for_hammering_at_servers(visit: Visit, settings: SettingsWrapper) -> None:
    callback = visit.at_provider(visit.leave())
    visit.mailbox.sandbox.idp.faults.fail(status=500, times=20, endpoint="introspect")
    visit.return_by(callback)
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "CONNECTION_TESTS": 1}
    page = text_of(visit.client.post(visit.address + "switch/go-on/", follow=True))
    assert "That was tried too often in a short time." in page
    assert MigrationStep.objects.get().attempts == 1
    assert problem(visit.client.post(visit.address + "go-back/"))[0] == "too_many_attempts"


def test_a_switch_that_waits_can_be_cancelled(visit: Visit) -> None:
    callback = visit.at_provider(visit.leave())
    visit.mailbox.sandbox.idp.faults.fail(status=500, times=20, endpoint="introspect")
    visit.return_by(callback)
    visit.mailbox.sandbox.idp.faults.reset()
    page = text_of(visit.client.post(visit.address + "switch/cancel/", follow=True))
    assert "goes on as before; the permission is given back" in page
    assert visit.still_works_as_it_did()
    assert not Grant.objects.exists()
    assert visit.mailbox.sandbox.idp.faults.revoke(visit.mailbox.address) == 0
    assert MigrationStep.objects.get().state == MigrationState.CANCELLED
    assert "now signs in with" in text_of(switch(visit))


def test_nothing_is_cancelled_after_the_switch(visit: Visit) -> None:
    switch(visit)
    visit.client.post(visit.address + "switch/cancel/")
    assert MigrationStep.objects.get().state == MigrationState.SWITCHED
    assert Credential.objects.get(state=CredentialState.ACTIVE).backend == "xoauth2"


def test_a_try_that_failed_is_remembered_until_the_next(visit: Visit) -> None:
    port = visit.account.smtp_port
    MailAccount.objects.update(smtp_port=1)  # where nobody answers
    assert problem(switch(visit))[0] == "connection_refused"
    step = MigrationStep.objects.get()
    assert (step.state, step.code) == (MigrationState.FAILED, "connection_refused")
    assert visit.still_works_as_it_did()
    page = text_of(visit.client.get(visit.address))
    assert "The last try to switch came to nothing." in page and "does not answer on port 1." in page
    MailAccount.objects.update(smtp_port=port)
    assert "now signs in with Microsoft" in text_of(switch(visit))
    assert MigrationStep.objects.get().state == MigrationState.SWITCHED


# --- why ---


def banner_of(account: MailAccount) -> str:
    client = Client()
    client.force_login(account.owner)
    page = client.get(f"/settings/email-accounts/{account.pk}/").content.decode()
    found = re.search(r'<div class="([^"]+)" data-banner>(.*?)</div>', page, re.S)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", found[2])).split()) if found else ""


REGISTERED = {"microsoft": {"client_id": "a", "client_secret": "b", "tenant": "t", "authority": "https://x.test"}}


@pytest.fixture
def registered(settings: SettingsWrapper) -> None:
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "CLIENTS": REGISTERED}


def with_password(**columns: object) -> MailAccount:
    return make_credential(make_account(**columns)).account


@pytest.mark.usefixtures("registered")
def test_a_mailbox_at_a_known_provider_is_told_what_it_offers_and_until_when() -> None:
    words = banner_of(with_password(address="anna@outlook.com", imap_host="outlook.office365.com"))
    assert "Microsoft offers OAuth: you sign in there, and we never see your password again." in words
    assert re.search(r"ended passwords.* on \d+ \w+ \d{4}\.", words)


@pytest.mark.usefixtures("registered")
def test_a_server_that_takes_tokens_is_enough() -> None:
    assert banner_of(with_password()) == ""
    words = banner_of(with_password(takes_tokens=True))
    assert "imap.example.test offers OAuth: you sign in at Microsoft" in words


@pytest.mark.usefixtures("registered")
@pytest.mark.parametrize("code", ["password_rejected", "app_password_needed", "admin_action_needed"])
def test_a_server_that_just_refused_a_password_is_the_best_reason(code: str) -> None:
    account = with_password(takes_tokens=True, status=AccountStatus.NEEDS_OWNER, status_code=code)
    assert "imap.example.test has just refused the password." in banner_of(account)


@pytest.mark.usefixtures("registered")
def test_a_domain_whose_mail_goes_to_a_provider_is_told_so() -> None:
    account = with_password(address="anna@company.test", imap_host="mail.company.test", exchanged_by="microsoft365")
    assert "Mail for company.test goes to" in banner_of(account)
    client = Client()
    client.force_login(account.owner)
    page = text_of(client.get(f"/settings/email-accounts/{account.pk}/switch/"))
    assert "the account moves along: from mail.company.test to outlook.office365.com" in page


def test_a_provider_that_ended_passwords_is_named_even_if_nobody_registered_with_it() -> None:
    words = banner_of(with_password(address="anna@outlook.com", imap_host="outlook.office365.com"))
    assert "This installation isn't registered with Microsoft yet." in words
    assert "Switch to OAuth" not in words


def test_an_account_that_signs_in_by_consent_has_nothing_to_switch_to(visit: Visit) -> None:
    switch(visit)
    page = visit.client.get(visit.address + "switch/")
    assert "signs in by consent already" in text_of(page)
    assert "Back to the account" in text_of(page)
    assert 'name="offer"' not in page.content.decode()
    assert visit.client.post(visit.address + "switch/", {"offer": visit.offer}).status_code == 200


def test_a_disconnected_account_is_reconnected_first(visit: Visit) -> None:
    disconnect(visit.account, erase_mail=False, actor=visit.user)
    page = visit.client.get(visit.address + "switch/")
    assert "is disconnected" in text_of(page)
    assert f'href="{visit.address}reconnect/"' in page.content.decode()
    assert 'name="offer"' not in page.content.decode()
    assert visit.client.post(visit.address + "switch/", {"offer": visit.offer}).status_code == 200


# --- bad input: each ends with the old sign-in working, a sentence and a next step ---


def test_two_browsers_that_run_the_same_wizard_end_with_one_sign_in(visit: Visit) -> None:
    first, other = visit.leave(), visit.new_browser()
    second = other.post(visit.address + "switch/", {"offer": visit.offer})["Location"]
    callbacks = [visit.at_provider(first), visit.at_provider(second)]
    assert "now signs in with Microsoft" in text_of(visit.return_by(callbacks[1], other))
    assert "now signs in with Microsoft" in text_of(visit.return_by(callbacks[0]))
    assert dict(Credential.objects.values_list("backend", "state")) == {"password": "retired", "xoauth2": "active"}
    assert Grant.objects.count() == 1
    assert sync_account(visit.account.pk).error is None


def test_what_ends_a_try_is_noted_for_its_owner(visit: Visit) -> None:
    visit.return_by(visit.at_provider(visit.leave(), allow=False))
    entry = AuditEntry.objects.get(action=AuditAction.CONSENT_REFUSED)
    assert (entry.facts["code"], entry.owner) == ("consent_declined", visit.user)
    assert not MigrationStep.objects.exists(), "nobody is on the way to anything"
