"""Somebody at a browser of the CRM who goes to an identity provider of the sandbox and comes back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.test import Client

from tests.sandbox_crm import world_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mailaccounts.testing.sandbox import Sandbox
    from tests.sandbox_fixtures import SandboxMailbox

PROVIDERS = ("microsoft", "google", "oidc")
PASSWORD = "correct horse battery"


def registered_world(sandbox: Sandbox, raw: dict[str, Any]) -> dict[str, Any]:
    """MAILACCOUNTS settings that know the sandbox's three providers, as the CRM's settings would."""
    said = sandbox.environment()
    world = world_of(sandbox, raw)
    clients = {
        slug: {
            "client_id": said[f"{slug.upper()}_CLIENT_ID"],
            "client_secret": said[f"{slug.upper()}_CLIENT_SECRET"],
            "authority": said[variable],
        }
        for slug, variable in (("google", "GOOGLE_AUTHORITY"), ("oidc", "OIDC_ISSUER"))
    }
    return {**world, "CLIENTS": {**world["CLIENTS"], **clients}}


@dataclass
class Visitor:
    """A browser, and who sits there at the providers. Only of localhost do they take people who come by plain http."""

    mailbox: SandboxMailbox
    browser: Client = field(default_factory=lambda: Client(headers={"host": "localhost"}))

    def leave(self, provider: str, **form: str) -> Any:
        """Presses the provider's button."""
        return self.browser.post(f"/accounts/oidc/{provider}/login/", form)

    def answer(self, url: str) -> dict[str, str]:
        """Signs in at the provider; what it sends back."""
        idp = self.mailbox.sandbox.idp
        return idp.person(self.mailbox.user).consent(url)

    def come_back(self, provider: str, params: Mapping[str, str]) -> Any:
        return self.browser.get(f"/accounts/oidc/{provider}/login/callback/", params)

    def sign_in(self, provider: str, **form: str) -> Any:
        """All the way; the response to the callback."""
        return self.come_back(provider, self.answer(self.leave(provider, **form)["Location"]))

    @property
    def is_signed_in(self) -> bool:
        return bool(self.browser.get("/contacts/").status_code == 200)

    def type_password(self) -> None:
        self.browser.post("/accounts/login/", {"login": "anna", "password": PASSWORD})
        assert self.is_signed_in

    def link(self, provider: str) -> None:
        self.type_password()
        assert self.sign_in(provider, process="connect")["Location"] == "/accounts/3rdparty/"

    def sign_out(self) -> None:
        self.browser.post("/accounts/logout/")


def text(response: Any) -> str:
    return str(response.content.decode())


def code(response: Any) -> str:
    """The code of the trouble that a page tells about."""
    page = text(response)
    assert "data-code=" in page, page
    return page.partition('data-code="')[2].partition('"')[0]
