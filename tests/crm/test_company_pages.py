"""Companies: their domains, and the mail with anybody there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.core.exceptions import ValidationError

from crm.models import Company, CompanyDomain, TimelineEntry
from tests.app.builders import make_account, make_user
from tests.crm.builders import make_company, make_contact, store_message

if TYPE_CHECKING:
    from django.test import Client
    from pytest_django.fixtures import SettingsWrapper

pytestmark = pytest.mark.django_db


@pytest.fixture
def signed_in(client: Client) -> Client:
    client.force_login(make_user("anna"))
    return client


def domains(company: Company) -> list[str]:
    return [each.domain for each in company.domains.all()]


def test_mail_with_anybody_at_the_domain_is_on_the_companys_page(client: Client) -> None:
    account, company = make_account(), make_company("northwind.example")
    maria = make_contact("maria@northwind.example", company=company)
    store_message(account, sender="orders@northwind.example", to=account.address, subject="Your order")
    store_message(account, sender="maria@northwind.example", to=account.address, subject="Lunch")
    store_message(account, sender="x@elsewhere.example", to=account.address, subject="Nothing to do with it")
    client.force_login(account.owner)
    page = client.get(company.get_absolute_url()).content.decode()
    assert "Your order" in page
    assert "Lunch" in page
    assert "Nothing to do with it" not in page
    assert f'href="{maria.get_absolute_url()}"' in page
    assert "Your order" not in client.get(maria.get_absolute_url()).content.decode()
    assert f'href="{company.get_absolute_url()}"' in client.get("/inbox/").content.decode()


def test_a_message_with_a_contact_and_a_colleague_of_theirs_is_there_once(client: Client) -> None:
    account, company = make_account(), make_company("northwind.example")
    make_contact("maria@northwind.example", company=company)
    store_message(account, sender="maria@northwind.example", to="orders@northwind.example", subject="Both of us")
    assert TimelineEntry.objects.count() == 2
    client.force_login(account.owner)
    assert client.get(company.get_absolute_url()).content.decode().count('class="timeline-entry"') == 1


def test_a_colleagues_mail_is_not_on_the_page(signed_in: Client) -> None:
    account, company = make_account(), make_company("northwind.example")
    store_message(account, sender="orders@northwind.example", to=account.address, subject="Between the two of us")
    assert b"Between the two of us" not in signed_in.get(company.get_absolute_url()).content


def test_domains_are_added_kept_and_removed(signed_in: Client) -> None:
    company = make_company("northwind.example", "old.example")
    kept = company.domains.get(domain="northwind.example")
    path = f"/companies/{company.pk}/edit/"
    assert 'value="northwind.example old.example"' in signed_in.get(path).content.decode()
    typed = " @Northwind.example, bücher.example;XN--BCHER-KVA.example "
    signed_in.post(path, {"name": "Northwind Ltd", "domain_names": typed})
    company.refresh_from_db()
    assert company.name == "Northwind Ltd"
    assert sorted(company.domains.values_list("folded", flat=True)) == ["northwind.example", "xn--bcher-kva.example"]
    assert company.domains.filter(pk=kept.pk).exists()


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("gmail.com", "gmail.com is a mail provider&#x27;s, where anybody can have an address"),
        ("northwind.example GMX.de", "gmx.de is a mail provider&#x27;s"),
        ("taken.example", "taken.example is another company&#x27;s already."),
        ("Bücher.example", "bücher.example is another company&#x27;s already."),
        ("not/a/domain", "Enter a valid domain name."),
    ],
)
def test_what_cant_be_a_companys_domain_says_why(signed_in: Client, typed: str, sentence: str) -> None:
    make_company("taken.example", "xn--bcher-kva.example", name="Other")
    company = make_company("northwind.example")
    page = signed_in.post(f"/companies/{company.pk}/edit/", {"name": "Northwind", "domain_names": typed})
    assert sentence in page.content.decode()
    assert domains(company) == ["northwind.example"]


def test_the_admin_judges_domains_by_the_same_rules() -> None:
    for domain in ("googlemail.com", "outlook.com", "proton.me", "no domain"):
        with pytest.raises(ValidationError):
            CompanyDomain(company=make_company(name=domain), domain=domain).full_clean()


def test_a_barred_domain_says_so(signed_in: Client, settings: SettingsWrapper) -> None:
    company = make_company("northwind.example")
    assert "barred" not in signed_in.get(company.get_absolute_url()).content.decode()
    settings.CRM_BARRED_DOMAINS = ["example"]
    assert "it is barred" in signed_in.get(company.get_absolute_url()).content.decode()
