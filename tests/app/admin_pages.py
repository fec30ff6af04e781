"""The admin's pages of app registrations, as somebody fills them in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailaccounts.models import OAuthClient

if TYPE_CHECKING:
    from django.http import HttpResponse
    from django.test import Client

LIST = "/admin/mailaccounts/oauthclient/"
ADD = f"{LIST}add/"
FORM = {
    "name": "Contoso",
    "provider": "microsoft",
    "tenant": "contoso.test",
    "authority": "https://localhost",
    "client_id": "the-client",
    "proof": "secret",
    "secret": "a-s3cret",
    "new_secret": "",
    "secret_expires_on": "",
    "next_secret_expires_on": "",
    "scopes": "",
    "is_active": "on",
}


def page_of(row: OAuthClient, what: str = "change") -> str:
    return f"{LIST}{row.pk}/{what}/"


def form_of(row: OAuthClient, **changes: str) -> dict[str, str]:
    """The change form as it is sent back: without a secret, and with changes."""
    return {
        **FORM,
        "name": row.name,
        "provider": row.provider,
        "tenant": row.tenant,
        "authority": row.authority.removesuffix(f"/{row.tenant}"),
        "client_id": row.client_id,
        "proof": row.proof,
        "secret": "",
        **changes,
    }


def problems(response: HttpResponse) -> dict[str, list[str]]:
    """What the form says is wrong, by field; AssertionError when it was taken."""
    assert response.status_code == 200
    errors: dict[str, list[str]] = response.context["adminform"].form.errors  # type: ignore[attr-defined]  # a test's
    return errors


def add(boss: Client, **changes: str) -> OAuthClient:
    """The registration that is entered with this form."""
    known = set(OAuthClient.objects.values_list("pk", flat=True))
    response = boss.post(ADD, {**FORM, **changes})
    assert response.status_code == 302, problems(response)
    return OAuthClient.objects.exclude(pk__in=known).get()
