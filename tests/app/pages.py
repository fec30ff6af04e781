"""The pages as a person sees them: what a form said went wrong, where one ended up."""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from django.http import HttpResponse

    from mailaccounts.mail.types import Endpoint
    from tests.sandbox_fixtures import SandboxMailbox

ALERT = re.compile(
    r'<div class="alert alert-danger" role="alert" data-code="(?P<code>[\w]+)">(?P<text>.*?)</div>', re.S
)


def problem(response: HttpResponse) -> tuple[str, str]:
    """Code and words of the problem a page shows; AssertionError when there is none, or more than one."""
    found = ALERT.findall(response.content.decode())
    assert len(found) == 1, response.content.decode()
    code, text = found[0]
    return code, " ".join(unescape(re.sub(r"<[^>]+>", " ", text)).split())


def connect_data(mailbox: SandboxMailbox, **changes: str) -> dict[str, str]:
    """The connect form as somebody fills it in for a sandbox mailbox, who says there and then how far back."""
    data = {"address": mailbox.address, "password": mailbox.password, "since": "2020-01-01"}
    for endpoint in (mailbox.sandbox.imap, mailbox.sandbox.smtp):
        data |= server_data(endpoint)
    return data | changes


def server_data(endpoint: Endpoint) -> dict[str, str]:
    kind = endpoint.protocol
    return {
        f"{kind}_host": endpoint.host,
        f"{kind}_port": str(endpoint.port),
        f"{kind}_security": endpoint.security.value,
    }
