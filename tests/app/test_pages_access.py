"""Who may open what: every address of the app and the CRM, found in the urlconf, for three kinds of people."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from django.core import signing
from django.urls import URLPattern, URLResolver, get_resolver

from mailaccounts.models import Alias, MailAccount
from mailaccounts.services.connecting import consent_attempts
from mailaccounts.services.connecting.disconnect import disconnect
from mailaccounts.services.people.privacy import block
from mailaccounts.services.sending.writer import SALT
from mailaccounts.services.telling import notices
from tests.app.builders import make_account, make_client, make_credential, make_grant, make_user
from tests.app.campaigns import invitation_for, make_campaign
from tests.crm.builders import make_company, make_contact

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.test import Client

pytestmark = pytest.mark.django_db

POST_ONLY = {
    *("mailaccounts:sync_now", "mailaccounts:switch_go_on", "mailaccounts:switch_cancel"),
    *("mailaccounts:add_alias", "mailaccounts:remove_alias"),
    *("inbox_act", "inbox_undo", "inbox_dismiss"),
}
OF_AN_ACCOUNT = "/settings/email-accounts/{pk}/"
OF_A_RECEIPT = "/settings/email-accounts/receipts/{pk}/"
A_CALLBACK = "/oauth/{provider}/callback/"
OF_ADMINISTRATORS = "/settings/email-accounts/campaigns/"  # walked in tests/app/test_pages_campaigns.py
OF_STAFF = (
    "/settings/barred/",
    "/settings/personal-data/",
)  # walked in tests/crm/test_barring.py, test_personal_data.py
OF_MAIL = "/mail/"  # walked in tests/crm/test_mail_access.py
OF_MACHINES = ("/healthz", "/readyz", "/metrics")  # tried in tests/app/test_probes.py
ALIAS = "/settings/email-accounts/aliases/{token}/"
BLOCKED = "/settings/email-accounts/{pk}/privacy/blocked/{blocked}/"
GO = "/settings/email-accounts/go/{token}/"
INVITATION = "/settings/email-accounts/invitation/{token}/"


def addresses(patterns: Any = None, route: str = "/", namespace: str = "") -> Iterator[tuple[str, str]]:
    """Name and address of each page that is ours."""
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        here = route + str(pattern.pattern)
        if isinstance(pattern, URLPattern):
            yield f"{namespace}{pattern.name}", re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", here)
        elif isinstance(pattern, URLResolver) and not str(pattern.pattern).startswith(("admin/", "accounts/")):
            yield from addresses(
                pattern.url_patterns, here, f"{pattern.namespace}:" if pattern.namespace else namespace
            )


PAGES = sorted((name, address) for name, address in addresses() if address not in OF_MACHINES)
BEHIND_SIGN_IN = [page for page in PAGES if page[0] != "mailaccounts:picture"]  # which goes by its signature
PEOPLES = [
    (name, address)
    for name, address in PAGES
    if not address.startswith((OF_ADMINISTRATORS, OF_MAIL, *OF_STAFF)) and "admin-consent" not in address
]
OF_SOMEBODY = (OF_AN_ACCOUNT, OF_A_RECEIPT, A_CALLBACK, INVITATION, GO, ALIAS)
ACCOUNT_PAGES = [(name, address) for name, address in PAGES if address.startswith(OF_SOMEBODY)]


def target_of(address: str, account: MailAccount) -> str:
    """The page of ``account``: of the account itself, of its way to another sign-in, of what is left once it is
    disconnected, of a consent that its owner is about to give, or of a company or a contact."""
    if address == INVITATION:
        return address.format(token=invitation_for(account))
    if address == GO:
        MailAccount.objects.filter(pk=account.pk).update(status="needs_owner")
        return address.format(token=notices.token_of(account))
    if address.startswith(OF_ADMINISTRATORS):
        return address.format(run=make_campaign(account).pk)
    if address.startswith(OF_A_RECEIPT):
        return address.format(pk=disconnect(account, erase_mail=False, actor=account.owner).pk)
    if address == A_CALLBACK:
        consent_attempts.remember(
            user=account.owner, client=make_client(), backend="xoauth2", state="awaited", flow={}, wish={},
            account=account,
        )  # fmt: skip
        return f"{address.format(provider='microsoft')}?state=awaited&code=any"
    if address == ALIAS:
        alias = Alias.objects.create(account=account, address="other@example.test")
        return address.format(token=signing.dumps([alias.pk, alias.address], salt=SALT))
    if address == BLOCKED:
        return address.format(pk=account.pk, blocked=block(account.owner, "@private.test").pk)
    if address.startswith("/companies/"):
        return address.format(pk=make_company().pk)
    pk = account.pk if address.startswith(OF_AN_ACCOUNT) else make_contact().pk
    return address.format(pk=pk, provider="microsoft", alias=1, done=uuid4())


def somebody_else(who: str, account: MailAccount) -> Any:
    """A teammate has the same mailbox, by the same permission of the organisation's, in an account of their own."""
    user = make_user()
    user.is_staff = user.is_superuser = who == "administrator"
    user.save()
    if who == "teammate":
        make_credential(make_account(user, account.address), grant=account.credentials.get().grant)
    return user


def test_the_walk_finds_the_pages() -> None:
    assert len(ACCOUNT_PAGES) >= 11
    assert {"home", "contacts", "inbox", "mailaccounts:callback"} <= {name for name, _ in PAGES}


@pytest.mark.parametrize(("name", "address"), BEHIND_SIGN_IN, ids=[name for name, _ in BEHIND_SIGN_IN])
def test_nobody_gets_in_without_signing_in(client: Client, name: str, address: str) -> None:
    account = make_account()
    target = target_of(address, account)
    for response in (client.get(target, follow=True), client.post(target, follow=True)):
        if response.status_code != 405:
            assert response.redirect_chain[-1][0].startswith("/accounts/login/")
            assert account.address not in response.content.decode()


@pytest.mark.parametrize(("name", "address"), ACCOUNT_PAGES, ids=[name for name, _ in ACCOUNT_PAGES])
@pytest.mark.parametrize("who", ["stranger", "teammate", "administrator"])
def test_somebody_elses_account_does_not_exist(client: Client, name: str, address: str, who: str) -> None:
    account = make_credential(backend="app_only", grant=make_grant(app_only=True)).account
    client.force_login(somebody_else(who, account))
    target = target_of(address, account)
    method_not_allowed = {405} if name in POST_ONLY else set()
    assert client.get(target).status_code in {404} | method_not_allowed
    assert client.get(target, headers={"HX-Request": "true"}).status_code in {404} | method_not_allowed
    assert client.post(target, {"offer": "any", "password": "x"}).status_code in {404, 405}


@pytest.mark.parametrize(("name", "address"), PEOPLES, ids=[name for name, _ in PEOPLES])
def test_the_owner_gets_in_and_the_page_holds_no_secret(client: Client, name: str, address: str) -> None:
    account = make_credential(secret="the-s3cret").account
    client.force_login(account.owner)
    response = client.get(target_of(address, account), follow=True)
    assert response.status_code == (405 if name in POST_ONLY else 200)
    assert "the-s3cret" not in response.content.decode()


@pytest.mark.parametrize(("name", "address"), PEOPLES, ids=[name for name, _ in PEOPLES])
def test_no_page_has_an_inline_script_or_style(client: Client, name: str, address: str) -> None:
    account = make_credential().account
    client.force_login(account.owner)
    response = client.get(target_of(address, account), follow=True)
    if not response["Content-Type"].startswith("text/html"):
        return
    page = response.content.decode()
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|javascript:|https?://(?!testserver)", page)
    assert "default-src 'self'" in response["Content-Security-Policy"]
    assert "unsafe" not in response["Content-Security-Policy"]


def test_accounts_are_not_kept_by_browsers_or_proxies(client: Client) -> None:
    account = make_credential().account
    client.force_login(account.owner)
    response = client.get(OF_AN_ACCOUNT.format(pk=account.pk))
    assert "no-store" in response["Cache-Control"]
    assert "HX-Request" in response["Vary"]


def test_a_form_without_the_csrf_token_is_refused() -> None:
    from django.test import Client

    account = make_credential().account
    careful = Client(enforce_csrf_checks=True)
    careful.force_login(account.owner)
    for name, address in ACCOUNT_PAGES:
        if name != "mailaccounts:account" and address.startswith(OF_AN_ACCOUNT):
            assert careful.post(target_of(address, account)).status_code == 403
