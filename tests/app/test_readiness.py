"""Who can move: at once, with its owner, or not at all and why; told without asking anybody."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, NoReturn

import pytest

from mailaccounts.models import MigrationRun, MigrationStep
from mailaccounts.services.campaigns import readiness
from mailaccounts.services.campaigns.readiness import Way
from tests.app.builders import make_account, make_client, make_credential, make_grant
from tests.app.campaigns import lets_in, make_movable

if TYPE_CHECKING:
    from pytest_django import DjangoAssertNumQueries

    from mailaccounts.models import MailAccount, OAuthClient
    from mailaccounts.services.campaigns.readiness import Readiness

pytestmark = pytest.mark.django_db


def judge(account: MailAccount, *, app_only: bool = False, client: OAuthClient | None = None) -> Readiness:
    (found,) = readiness.judge([account], app_only=app_only, client=client)
    return found


def why_not(found: Readiness) -> str:
    assert found.way is Way.CANNOT
    assert found.trouble is not None
    return found.trouble.code


def test_an_account_with_a_password_needs_its_owner() -> None:
    client = make_client()
    found = judge(make_movable())
    assert (found.way, found.client, found.trouble) == (Way.OWNER, client, None)


def test_it_moves_at_once_where_its_organisation_lets_us_in() -> None:
    access = lets_in(make_client(), canary="nobody@org.test")
    found = judge(make_movable("anna@org.test"), app_only=True)
    assert (found.way, found.tenant, found.client) == (Way.AT_ONCE, access.tenant, access.client)
    assert judge(make_movable("anna@elsewhere.test"), app_only=True).way is Way.OWNER
    assert judge(make_movable("ben@org.test"), app_only=False).way is Way.OWNER


def test_an_organisation_that_is_off_lets_nobody_move() -> None:
    access = lets_in(make_client())
    access.is_on = False
    access.save()
    assert judge(make_movable("anna@org.test"), app_only=True).way is Way.OWNER


def test_a_registration_whose_access_the_operator_switched_off_lets_nobody_move() -> None:
    client = make_client()
    lets_in(client)
    type(client).objects.update(app_only=False)
    assert judge(make_movable("anna@org.test"), app_only=True).way is Way.OWNER


def test_colleagues_who_consented_before_tell_the_domain_of_an_organisation() -> None:
    client = make_client()
    lets_in(client, canary="canary@other-domain.test")
    make_grant(client, tenant="the-tenant", signed_in_as="boss@org.test")
    make_grant(client, tenant="the-tenant", signed_in_as="guest@gmail.com")
    assert judge(make_movable("anna@org.test"), app_only=True).way is Way.AT_ONCE
    assert judge(make_movable("guest2@gmail.com"), app_only=True, client=client).way is not Way.AT_ONCE


def test_an_account_moves_from_its_owners_consent_to_the_organisations() -> None:
    client = make_client()
    account = make_account(address="anna@unknown.test")
    make_credential(account, grant=make_grant(client, tenant="the-tenant"), backend="xoauth2")
    assert why_not(judge(account, app_only=True)) == "on_it_already"
    lets_in(client)
    assert judge(account, app_only=True).way is Way.AT_ONCE
    assert why_not(judge(account)) == "on_it_already"


def test_an_account_on_its_organisations_access_is_there_already() -> None:
    client = make_client()
    lets_in(client)
    account = make_account(address="anna@org.test")
    make_credential(account, grant=make_grant(client, tenant="the-tenant", app_only=True), backend="app_only")
    assert why_not(judge(account, app_only=True)) == "on_it_already"


def test_a_provider_without_consents_cannot() -> None:
    make_client()
    account = make_movable("anna@gmx.de", imap_host="imap.gmx.net")
    found = judge(account)
    assert why_not(found) == "no_consent_there"
    assert found.trouble and found.provider in found.trouble.message


def test_without_a_registration_it_cannot() -> None:
    make_client(provider="google", name="Google")
    account = make_movable("anna@outlook.com", imap_host="outlook.office365.com")
    assert why_not(judge(account)) == "client_missing"


def test_another_providers_registration_is_not_for_it() -> None:
    google, _ = make_client(provider="google", name="Google"), make_client()
    account = make_movable("anna@outlook.com", imap_host="outlook.office365.com")
    assert why_not(judge(account, client=google)) == "other_provider"


def test_an_account_under_way_elsewhere_cannot_unless_it_failed_there() -> None:
    client = make_client()
    account = make_movable()
    run = MigrationRun.objects.create(to="xoauth2", client=client)
    step = MigrationStep.objects.create(run=run, account=account, address=account.address, state="invited")
    assert why_not(judge(account)) == "already_moving"
    MigrationStep.objects.filter(pk=step.pk).update(state="failed")
    assert judge(account).way is Way.OWNER


def test_a_disconnected_account_cannot() -> None:
    make_client()
    assert why_not(judge(make_account(status="disconnected"))) == "not_connected"


def test_an_account_that_signs_in_with_nothing_needs_its_owner() -> None:
    make_client()
    assert judge(make_account(status="needs_owner")).way is Way.OWNER


def test_a_deactivated_owner_cannot_consent_but_the_organisation_can() -> None:
    client = make_client()
    account = make_movable("anna@org.test")
    account.owner.is_active = False
    account.owner.save()
    assert why_not(judge(account)) == "owner_inactive"
    lets_in(client)
    assert judge(account, app_only=True).way is Way.AT_ONCE


def test_the_announced_end_of_its_sign_in_is_told() -> None:
    make_client()
    account = make_movable("anna@outlook.com", imap_host="outlook.office365.com")
    assert judge(account).ends is not None
    assert judge(make_movable()).ends is None


def test_any_number_of_accounts_takes_the_same_queries_and_no_network(
    django_assert_num_queries: DjangoAssertNumQueries, monkeypatch: pytest.MonkeyPatch
) -> None:
    lets_in(make_client())
    several = [make_movable() for _ in range(3)]
    many = [*several, *(make_movable(f"user-{number}@org.test") for number in range(20))]

    def refuse(*_: object, **__: object) -> NoReturn:
        raise AssertionError("somebody was asked")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as queries:
        readiness.judge(several, app_only=True)
    with django_assert_num_queries(len(queries)):
        found = readiness.judge(many, app_only=True)
    assert {each.way for each in found} == {Way.AT_ONCE, Way.OWNER}
    assert not any(query["sql"].startswith(("INSERT", "UPDATE", "DELETE")) for query in queries)
