"""What the admin doesn't show can't be guessed either, by asking its lists for the rows in which it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mailaccounts.models import AuditEntry
from tests.app.builders import make_account, make_grant, make_outgoing
from tests.app.staff import make_staff

if TYPE_CHECKING:
    from django.test import Client

pytestmark = pytest.mark.django_db


@pytest.fixture
def support(client: Client) -> Client:
    """Who may look at accounts, at grants and at how outgoing mail is doing, and at no mail."""
    client.force_login(make_staff("support", "view_mailaccount", "view_outgoing", "view_grant"))
    return client


@pytest.mark.parametrize(
    "query",
    [
        *("subject__startswith=We", "body_text__contains=divorce", "body_html__icontains=divorce", "raw__contains=We"),
        *("quoted__contains=divorce", "sender_name__startswith=A", "recipients__address=maria@customer.test"),
    ],
)
def test_what_outgoing_mail_says_is_not_asked_for(support: Client, query: str) -> None:
    make_outgoing(subject="We part", body_text="my divorce", body_html="<p>my divorce</p>", quoted="divorce")
    assert support.get(f"/admin/mailaccounts/outgoing/?{query}").status_code == 400


@pytest.mark.parametrize("query", ["stage__contains=Divorce", "signature__contains=Divorce", "messages__subject=x"])
def test_what_is_the_owners_of_an_account_is_not_asked_for(support: Client, query: str) -> None:
    make_account(stage="Reading Divorce, 3 of 5", signature="Divorce")
    assert support.get(f"/admin/mailaccounts/mailaccount/?{query}").status_code == 400


@pytest.mark.parametrize("column", ["state", "access_token"])
@pytest.mark.parametrize("lookup", ["startswith", "regex", "gt", "contains"])
def test_what_is_sealed_is_not_asked_for(support: Client, column: str, lookup: str) -> None:
    make_grant()
    assert support.get(f"/admin/mailaccounts/grant/?{column}__{lookup}=v1").status_code == 400


def test_a_key_that_can_be_none_is_not_found(boss: Client) -> None:
    assert boss.get("/admin/mailaccounts/tenantaccess/abc/change/").status_code == 404
    for more in ({}, {"allow": "1"}):
        assert boss.post("/admin/mailaccounts/tenantaccess/add/", {"client": "abc", **more}).status_code == 404
    assert boss.post("/admin/mailaccounts/tenantaccess/add/").status_code == 404
    assert boss.post("/oauth/admin-consent/", {"client": "abc"}).status_code == 404


@pytest.mark.parametrize("query", ["nope=1", "at__gte=yesterday"])
def test_a_trail_that_can_not_be_narrowed_down_so_is_not_exported(boss: Client, query: str) -> None:
    answer = boss.post(f"/admin/mailaccounts/auditentry/export/?{query}", {"form": "csv"})
    assert (answer.status_code, answer["Location"]) == (302, "/admin/mailaccounts/auditentry/?e=1")
    assert not AuditEntry.objects.exists()


@pytest.mark.parametrize(
    ("page", "shown"),
    [
        ("outgoing/?state__exact=draft", 1),
        ("outgoing/?state__exact=sent", 0),
        ("outgoing/?account__id__exact={account}", 1),
        ("outgoing/?id__exact={message}", 1),
        ("mailaccount/?address__contains=@&clean_syncs__gte=0", 1),
        ("mailaccount/?state=new&pk__in={account}", 1),
    ],
)
def test_what_it_shows_narrows_its_lists_down(support: Client, page: str, shown: int) -> None:
    message = make_outgoing()
    response = support.get(f"/admin/mailaccounts/{page.format(account=message.account_id, message=message.pk)}")
    assert response.status_code == 200
    assert response.context["cl"].result_count == shown
