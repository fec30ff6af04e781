"""A mailbox at a domain of one's own: what was found is looked at, then used."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dns.resolver
import pytest
from playwright.sync_api import expect

from tests.browser.person import WIDE

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_django.fixtures import SettingsWrapper

    from mailaccounts.testing.sandbox import Sandbox
    from tests.browser.person import Person
    from tests.domains import DnsServer
    from tests.sandbox_fixtures import SandboxMailbox

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_servers_of_ones_own_domain_are_found_shown_and_used(
    new_person: Callable[..., Person],
    mailbox: SandboxMailbox,
    world: Sandbox,
    dns_server: DnsServer,
    settings: SettingsWrapper,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "PRESETS_FILE": ""}  # the sandbox's would know its servers
    monkeypatch.setattr(dns.resolver, "default_resolver", dns_server.resolver)
    for service, endpoint in (("_imaps", world.imap), ("_submissions", world.smtp)):
        dns_server.records[f"{service}._tcp.corp.test", "SRV"] = [f"0 1 {endpoint.port} {endpoint.host}."]
    person = new_person(viewport=WIDE)
    page = person.page
    person.sign_in()
    page.goto("/settings/email-accounts/connect/")
    person.enter_address("anna@corp.test")

    expect(
        page.get_by_role("status").filter(has_text="Found by your domain's SRV records: localhost.")
    ).to_be_visible()
    expect(page.get_by_label("IMAP server")).to_have_value(world.imap.host)
    person.look("found")
    page.get_by_text("More options").click()
    page.get_by_label("User name").fill(mailbox.address)
    page.get_by_label("Password").fill(mailbox.password)
    page.get_by_role("button", name="Connect").click()
    person.begin()
    expect(page.get_by_role("heading", name="anna@corp.test")).to_be_visible()
    assert person.complaints == []
