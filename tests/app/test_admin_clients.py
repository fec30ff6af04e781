"""App registrations in the admin: entered and changed without a secret ever coming back."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from django.contrib.admin.models import LogEntry
from django.views.debug import ExceptionReporter

from mailaccounts.crypto import Secret
from mailaccounts.models import OAuthClient
from mailaccounts.services.registering import clients, registrations
from tests.app.admin_pages import ADD, FORM, LIST, add, form_of, page_of, problems
from tests.app.builders import make_client, make_grant
from tests.unit.keys import certificate_pem, private_pem, service_account_key

if TYPE_CHECKING:
    from django.test import Client
    from pytest_django.fixtures import SettingsWrapper

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("local_hosts")]

GOOGLE = {"provider": "google", "tenant": "", "client_id": "the-client", "authority": "https://localhost/google"}


# --- entering one ----------------------------------------------------------------------------------------------


def test_a_registration_is_entered_and_offered(boss: Client) -> None:
    row = add(boss, secret_expires_on="2027-05-01")
    assert (row.authority, row.tenant, row.client_secret.reveal_text()) == (
        "https://localhost/contoso.test",
        "contoso.test",
        "a-s3cret",
    )
    assert (row.secret_expires_on, row.app_only, row.in_settings) == (date(2027, 5, 1), False, False)
    assert clients.offered() == [row]


def test_a_registration_out_of_use_is_not_offered(boss: Client) -> None:
    form = {name: value for name, value in FORM.items() if name != "is_active"}
    assert boss.post(ADD, form).status_code == 302
    assert clients.offered() == []


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"secret": ""}, "secret", "needed"),
        ({"secret": "two words"}, "secret", "one word"),
        ({"new_secret": "two words"}, "new_secret", "one word"),
        ({"tenant": ""}, "tenant", "needs a tenant"),
        ({"client_id": ""}, "client_id", "needed"),
        ({"name": ""}, "name", "required"),
        ({"provider": "unheard-of"}, "provider", "Select a valid choice"),
        ({"provider": "oidc", "authority": ""}, "authority", "issuer is needed"),
        ({"authority": "http://localhost"}, "authority", "https"),
        ({"authority": "https://localhost/?tenant=a"}, "authority", "https"),
        ({"authority": "https://me:pw@localhost"}, "authority", "https"),
        ({"authority": "https://10.1.2.3"}, "authority", "private or reserved network"),
        ({"authority": "https://[fd00::1]"}, "authority", "private or reserved network"),
        ({"authority": "https://169.254.169.254"}, "authority", "private or reserved network"),
        ({"proof": "service_account"}, "proof", "doesn't take"),
        ({"provider": "oidc", "proof": "certificate"}, "proof", "doesn't take"),
        ({**GOOGLE, "proof": "certificate"}, "proof", "doesn't take"),
        ({**GOOGLE, "app_only": "on"}, "app_only", "no access without users"),
        ({"provider": "oidc", "app_only": "on"}, "app_only", "no access without users"),
        ({"proof": "certificate", "secret": private_pem()}, "secret", "no certificate"),
        ({**GOOGLE, "proof": "service_account", "secret": "{}"}, "secret", "JSON file"),
        ({"secret_expires_on": "2020-01-01"}, "secret_expires_on", "is over"),
    ],
)
def test_what_can_not_be_used_is_said_and_nothing_is_saved(
    boss: Client, changes: dict[str, str], field: str, words: str
) -> None:
    response = boss.post(ADD, {**FORM, **changes})
    assert words in " ".join(problems(response)[field])
    assert not OAuthClient.objects.exists()
    assert "a-s3cret" not in response.content.decode()


def test_the_usual_authority_needs_not_be_typed(boss: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "check_authority", lambda authority: None)  # no test asks the internet
    assert add(boss, authority="").authority == "https://login.microsoftonline.com/contoso.test"
    google = add(boss, **{**GOOGLE, "client_id": "g", "authority": ""})
    assert google.authority == "https://accounts.google.com"


def test_an_issuer_is_kept_to_the_letter(boss: Client) -> None:
    assert add(boss, provider="oidc", tenant="", authority="https://localhost/realm/").authority.endswith("/realm/")


def test_the_same_registration_is_not_entered_twice(boss: Client) -> None:
    add(boss)
    assert "already" in " ".join(problems(boss.post(ADD, FORM))["client_id"])


def test_a_certificate_says_when_it_ends_and_how_the_console_names_it(boss: Client) -> None:
    row = add(boss, proof="certificate", secret=private_pem() + certificate_pem(days=90), secret_expires_on="")
    expected = datetime.now(UTC) + timedelta(days=90)
    assert row.secret_expires_on in {expected.date(), (expected - timedelta(minutes=1)).date()}
    page = boss.get(page_of(row)).content.decode()
    assert "Thumbprint (SHA-1)" in page
    assert "PRIVATE KEY" not in page
    assert "BEGIN CERTIFICATE" not in page


def test_a_service_account_names_itself_and_nobody_is_sent_to_sign_in_with_it(boss: Client) -> None:
    row = add(
        boss, **{**GOOGLE, "client_id": "", "proof": "service_account", "secret": service_account_key(),
                 "app_only": "on"}
    )  # fmt: skip
    assert (row.client_id, row.app_only) == ("crm@crm.iam.gserviceaccount.com", True)
    assert clients.offered() == []
    page = boss.get(page_of(row)).content.decode()
    assert "123456789012345678901" in page  # what domain-wide delegation is given to
    assert "/oauth/google/callback/" not in page


# --- changing one ----------------------------------------------------------------------------------------------


def test_an_empty_secret_keeps_what_is_there(boss: Client) -> None:
    row = add(boss, new_secret="n3xt", next_secret_expires_on="2029-01-01")
    form = form_of(row, name="Renamed", next_secret_expires_on="2029-02-01")
    assert boss.post(page_of(row), form).status_code == 302
    row = OAuthClient.objects.get()
    assert row.next_secret is not None
    assert (row.name, row.client_secret.reveal_text(), row.next_secret.reveal_text()) == (
        "Renamed",
        "a-s3cret",
        "n3xt",
    )
    assert row.next_secret_expires_on == date(2029, 2, 1)


def test_an_issuer_that_ends_like_a_tenant_stays_whole(boss: Client) -> None:
    """Only Microsoft's authorities are made of two parts."""
    row = add(boss, provider="oidc", authority="https://localhost/contoso.test", tenant="contoso.test")
    page = boss.get(page_of(row)).content.decode()
    assert 'value="https://localhost/contoso.test"' in page
    assert boss.post(page_of(row), form_of(row, authority="https://localhost/contoso.test")).status_code == 302
    assert OAuthClient.objects.get().authority == "https://localhost/contoso.test"


def test_a_secret_that_is_typed_replaces_the_old_one_and_what_was_verified_of_it(boss: Client) -> None:
    row = add(boss)
    OAuthClient.objects.update(verified_at=datetime.now(UTC))
    assert boss.post(page_of(row), form_of(row, secret="an0ther")).status_code == 302
    row = OAuthClient.objects.get()
    assert (row.client_secret.reveal_text(), row.verified_at) == ("an0ther", None)


def test_a_fault_of_ours_does_not_print_what_was_typed(boss: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error tracker, or Django's page for developers, shows the values of every frame."""

    def fail(authority: str) -> None:
        raise RuntimeError

    monkeypatch.setattr(clients, "check_authority", fail)
    with pytest.raises(RuntimeError) as caught:
        boss.post(ADD, {**FORM, "new_secret": FORM["secret"]})
    frames = caught.tb
    while frames.tb_next and frames.tb_frame.f_code.co_name != "changeform_view":  # those before are the test's
        frames = frames.tb_next
    report = ExceptionReporter(None, caught.type, caught.value, frames).get_traceback_html()
    assert "check_authority" in report
    assert "Secret(…)" in report
    assert FORM["secret"] not in report


@pytest.mark.parametrize(
    "changes",
    [
        {"authority": "https://127.0.0.1"},
        {"client_id": "another"},
        {"provider": "oidc", "authority": "https://localhost/realm"},
        {"proof": "certificate"},
    ],
)
def test_a_secret_is_not_sent_to_where_it_was_not_entered_for(boss: Client, changes: dict[str, str]) -> None:
    row = add(boss, new_secret="n3xt")
    assert "needed" in " ".join(problems(boss.post(page_of(row), form_of(row, **changes)))["secret"])
    same = OAuthClient.objects.get()
    assert (same.authority, same.client_id, same.proof) == (row.authority, row.client_id, row.proof)


def test_with_a_new_secret_it_may_go_elsewhere_and_the_waiting_one_is_destroyed(boss: Client) -> None:
    row = add(boss, new_secret="n3xt", next_secret_expires_on="2029-01-01")
    form = form_of(row, authority="https://127.0.0.1", secret="an0ther", next_secret_expires_on="2029-01-01")
    assert boss.post(page_of(row), form).status_code == 302
    row = OAuthClient.objects.get()
    assert (row.authority, row.client_secret.reveal_text()) == ("https://127.0.0.1/contoso.test", "an0ther")
    assert (row.next_secret, row.next_secret_expires_on) == (None, None)


def test_a_registration_with_mailboxes_stays_where_it_is(boss: Client) -> None:
    """Their tokens would be sent elsewhere as well."""
    row = add(boss)
    make_grant(row)
    form = form_of(row, authority="https://127.0.0.1", client_id="another", secret="an0ther", tenant="other.test")
    assert boss.post(page_of(row), form).status_code == 302
    row = OAuthClient.objects.get()
    assert (row.authority, row.client_id) == ("https://localhost/other.test", "the-client")  # the same host
    assert "mailboxes are connected with it" in boss.get(page_of(row)).content.decode()
    assert boss.post(page_of(row, "delete"), {"post": "yes"}).status_code in {200, 403}
    assert OAuthClient.objects.exists()


def test_what_a_worker_did_meanwhile_is_not_undone(boss: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """It promotes the next secret while the form is on its way into the database."""
    row = add(boss, new_secret="n3xt")
    check = clients.check_authority

    def meanwhile(authority: str) -> None:
        registrations.promote(OAuthClient.objects.get())
        check(authority)

    monkeypatch.setattr(clients, "check_authority", meanwhile)
    assert boss.post(page_of(row), form_of(row, name="Renamed")).status_code == 302
    row = OAuthClient.objects.get()
    assert (row.name, row.client_secret.reveal_text(), row.next_secret) == ("Renamed", "n3xt", None)


def test_every_change_is_in_the_history_without_a_secret(boss: Client) -> None:
    row = add(boss, new_secret="n3xt")
    boss.post(page_of(row), form_of(row, name="Renamed", secret="an0ther"))
    boss.post(page_of(row, "promote"))
    entries = [entry.get_change_message() for entry in LogEntry.objects.order_by("pk")]
    assert entries == ["Added.", "Changed Name and Secret.", "The next secret took over."]
    written = str(list(LogEntry.objects.values()))
    assert not any(secret in written for secret in ("a-s3cret", "n3xt", "an0ther"))


def test_a_registration_nobody_uses_can_be_deleted(boss: Client) -> None:
    row = add(boss)
    assert boss.post(page_of(row, "delete"), {"post": "yes"}).status_code == 302
    assert not OAuthClient.objects.exists()


# --- those that the settings name ------------------------------------------------------------------------------


@pytest.fixture
def named(settings: SettingsWrapper) -> OAuthClient:
    raw = {
        "client_id": "the-client",
        "client_secret": "a-s3cret",
        "tenant": "contoso.test",
        "authority": "https://localhost",
    }
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "CLIENTS": {"microsoft": raw}}
    return clients.registered("microsoft")


def test_what_the_settings_name_is_shown_with_where_to_change_it(boss: Client, named: OAuthClient) -> None:
    page = boss.get(page_of(named)).content.decode()
    assert 'MAILACCOUNTS["CLIENTS"]["microsoft"]' in page
    assert 'name="secret"' not in page
    assert "a-s3cret" not in page


def test_what_the_settings_name_is_not_changed_here(boss: Client, named: OAuthClient) -> None:
    assert boss.post(page_of(named), form_of(named, name="Renamed", secret="an0ther")).status_code == 403
    assert boss.post(page_of(named, "delete"), {"post": "yes"}).status_code == 403
    assert boss.post(page_of(named, "promote")).status_code == 403
    now = OAuthClient.objects.get()
    assert (now.name, now.client_secret.reveal_text()) == (named.name, "a-s3cret")


def test_a_row_the_settings_name_no_longer_can_be_taken_over(
    boss: Client, named: OAuthClient, settings: SettingsWrapper
) -> None:
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "CLIENTS": {}}
    assert clients.offered() == []
    assert boss.post(page_of(named), form_of(named)).status_code == 302
    assert clients.offered() == [named]


def test_the_list_names_both_kinds(boss: Client, named: OAuthClient) -> None:
    make_client(name="Added by hand", next_secret=Secret("n3xt"))
    page = boss.get(LIST).content.decode()
    assert named.name in page
    assert "Added by hand" in page
