"""Where the mail of a domain goes is asked once a day, of mailboxes that sign in with something typed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dns.resolver
import pytest

from mailaccounts import tasks
from mailaccounts.models import MailAccount
from mailaccounts.services.consents.offered import exchanger_of
from tests.app.builders import make_account, make_credential, make_grant

if TYPE_CHECKING:
    from tests.domains import DnsServer

pytestmark = pytest.mark.django_db


@pytest.fixture
def answers(dns_server: DnsServer, monkeypatch: pytest.MonkeyPatch) -> DnsServer:
    """The DNS as the day's job finds it."""
    monkeypatch.setattr(dns.resolver, "default_resolver", dns_server.resolver)
    return dns_server


def account_at(address: str, **columns: object) -> MailAccount:
    return make_credential(make_account(address=address, imap_host="mail.company.test", **columns)).account


def fresh(account: MailAccount) -> MailAccount:
    return MailAccount.objects.get(pk=account.pk)


def test_a_domain_that_moved_to_a_provider_is_noticed(answers: DnsServer) -> None:
    anna, ben = account_at("anna@company.test"), account_at("ben@company.test")
    answers.records["company.test", "MX"] = ["10 company-test.mail.protection.outlook.com."]
    tasks.day()
    for account in (anna, ben):
        found = exchanger_of(fresh(account))
        assert found is not None and found.label == "Microsoft 365"
    assert answers.asked.count(("company.test", "MX")) == 1, "once for both"


def test_a_domain_that_stays_where_it_is_is_told_nothing(answers: DnsServer) -> None:
    account = account_at("anna@company.test", exchanged_by="microsoft365")
    answers.records["company.test", "MX"] = ["10 mail.company.test."]
    tasks.day()
    assert exchanger_of(fresh(account)) is None


def test_a_dns_that_says_nothing_changes_nothing(answers: DnsServer) -> None:
    account = account_at("anna@company.test", exchanged_by="microsoft365")
    tasks.day()
    assert exchanger_of(fresh(account)) is not None


def test_nobody_is_asked_about_a_mailbox_that_has_oauth(answers: DnsServer) -> None:
    make_credential(make_account(address="anna@company.test"), grant=make_grant(), backend="xoauth2")
    tasks.day()
    assert not answers.asked


def test_a_provider_that_the_mailbox_is_at_already_is_nothing_new(answers: DnsServer) -> None:
    account = make_credential(
        make_account(address="anna@company.test", imap_host="outlook.office365.com", exchanged_by="microsoft365")
    ).account
    assert exchanger_of(account) is None
