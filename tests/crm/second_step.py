"""What a phone does: an authenticator app that shows today's code (RFC 6238, with RFC 4226's way to shorten it)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import struct
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from django.test import Client

PERIOD = 30  # seconds
LATEST = 3  # seconds before a code ends: nobody starts to type it then


def shown_by_app(secret: str) -> str:
    """The code of this half minute; waits for the next one where this is about to end."""
    while PERIOD - time.time() % PERIOD < LATEST:
        time.sleep(0.1)
    digest = hmac.new(base64.b32decode(secret), struct.pack(">Q", int(time.time() / PERIOD)), hashlib.sha1).digest()
    start = digest[-1] & 15
    return f"{(struct.unpack('>I', digest[start : start + 4])[0] & 0x7FFFFFFF) % 10**6:06}"


def set_up_app(client: Client) -> str:
    """Puts the secret of the set-up page into the app, and shows the CRM that it is there; the secret."""
    page = client.get("/accounts/2fa/totp/activate/").content.decode()
    secret = re.search(r'<code class="secret-key" translate="no">(\w+)</code>', page)
    assert secret, page
    done = client.post("/accounts/2fa/totp/activate/", {"code": shown_by_app(secret[1])})
    assert done["Location"] == "/accounts/2fa/recovery-codes/"
    return secret[1]


def recovery_codes(client: Client) -> list[str]:
    return re.findall(
        r'<code translate="no">(\d+)</code>', client.get("/accounts/2fa/recovery-codes/").content.decode()
    )
