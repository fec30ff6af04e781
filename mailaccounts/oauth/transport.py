"""HTTP to identity providers: verified TLS, no proxies from the environment, no redirects, bounded time and size.

Network trouble, 5xx, 429 and answers that aren't JSON end here as ProviderUnavailable or ProviderThrottled, so the
modules above only meet JSON with a status below 500.
"""

from __future__ import annotations

import json
import ssl
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

import requests

from mailaccounts.errors import (
    HostNotAllowed,
    MailAccountsError,
    PortNotAllowed,
    ProviderNotAllowed,
    ProviderThrottled,
    ProviderUnavailable,
)
from mailaccounts.oauth.pinned import CONNECT_SECONDS, NoPlainText, TrustingAdapter, look_up

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mailaccounts.oauth.pinned import Resolve

READ_SECONDS = 15.0  # from the first byte of an answer, or the first wait for it, to the last
MAX_BYTES = 2**20  # Entra's largest document, its JWKS, has about 20 KB


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A JSON answer with a status below 500, or none at all, in the shape MSAL wants of its ``http_client``."""

    status_code: int
    text: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)

    def json(self) -> Any:
        return json.loads(self.text)

    def raise_for_status(self) -> None:
        """MSAL calls this for 5xx only, which never get here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What a browser would be shown, or sent to (``location``); status below 500."""

    status: int
    location: str = field(repr=False)
    text: str = field(repr=False)


class Transport:
    """Speaks to one provider, named ``label`` in its errors. A connection per request: nothing is shared by threads
    or over a fork.

    ``resolve`` looks up and judges every host that is connected to; ProviderNotAllowed when it refuses one.
    """

    def __init__(self, label: str, *, ca_bundle: str = "", resolve: Resolve = look_up) -> None:
        self._label, self._ca_bundle, self._resolve = label, ca_bundle, resolve

    def get(self, url: str, **options: Any) -> Answer:
        return self._request("GET", url, **options)

    def post(self, url: str, **options: Any) -> Answer:
        return self._request("POST", url, **options)

    def look(self, url: str) -> Page:
        """What people would see at ``url``, without going where it leads."""
        response, body = self._exchange("GET", url)
        if not response.is_redirect:
            self._refuse_trouble(response)
        location = response.headers.get("Location", "")
        return Page(status=response.status_code, location=location, text=body.decode(errors="replace"))

    def _request(self, method: str, url: str, **options: Any) -> Answer:
        response, body = self._exchange(method, url, **options)
        self._refuse_trouble(response)
        text = self._json_text(body, response.status_code)
        return Answer(status_code=response.status_code, text=text, headers=response.headers)

    def _exchange(self, method: str, url: str, **options: Any) -> tuple[requests.Response, bytes]:
        """One request; network trouble is an outage, whatever its form."""
        options.update(timeout=(CONNECT_SECONDS, READ_SECONDS), allow_redirects=False, stream=True)
        try:
            with requests.Session() as session:
                session.trust_env = False  # REQUESTS_CA_BUNDLE would replace our trust, .netrc our credentials
                session.headers["Accept-Encoding"] = "identity"  # a few packed bytes can unpack to anything
                session.mount("https://", TrustingAdapter(self._context, self._resolve))
                session.mount("http://", NoPlainText())
                with session.request(method, url, **options) as response:
                    return response, self._read(response)
        except (HostNotAllowed, PortNotAllowed):
            raise ProviderNotAllowed(provider=self._label) from None
        except (requests.RequestException, MailAccountsError, OSError, ValueError):
            raise ProviderUnavailable(provider=self._label) from None

    @cached_property
    def _context(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        context.sslsocket_class = _HurriedSocket
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self._ca_bundle:
            context.load_verify_locations(cafile=self._ca_bundle)
        return context

    def _read(self, response: requests.Response) -> bytes:
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise ProviderUnavailable(provider=self._label)
        body = b""
        for piece in response.iter_content(65_536):
            body += piece
            if len(body) > MAX_BYTES:
                raise ProviderUnavailable(provider=self._label)
        return body

    def _refuse_trouble(self, response: requests.Response) -> None:
        retry_after = wait_of(response.headers)
        if response.status_code == requests.codes.too_many_requests:
            raise ProviderThrottled(provider=self._label, retry_after=retry_after)
        if response.status_code >= requests.codes.internal_server_error or response.is_redirect:
            raise ProviderUnavailable(provider=self._label, retry_after=retry_after)

    def _json_text(self, body: bytes, status: int) -> str:
        """The body as text that ``json.loads`` can read: UTF-8 (RFC 8259 §8.1), and not nested beyond reason.

        "" where there is nothing, whatever a 404 says. A 403 with a page for people is what Google's token endpoint
        answers to those who ask too often (googleapis/google-oauth-java-client#57).
        """
        if status == requests.codes.not_found or (not body and status == requests.codes.ok):
            return ""
        try:
            text = body.decode()
            json.loads(text)
        except (ValueError, RecursionError):
            busy = status == requests.codes.forbidden
            raise (ProviderThrottled if busy else ProviderUnavailable)(provider=self._label) from None
        return text


class _HurriedSocket(ssl.SSLSocket):
    """Gives a whole answer READ_SECONDS. A socket's own time-out begins anew with every byte that drips in."""

    _until: float | None = None

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        now = time.monotonic()
        if self._until is None:
            self._until = now + READ_SECONDS
        if now >= self._until:
            raise TimeoutError
        self.settimeout(self._until - now)
        return super().recv_into(*args, **kwargs)


def wait_of(headers: Mapping[str, str]) -> float | None:
    """The seconds that Retry-After asks for, in either of its forms (RFC 9110 §10.2.3); None when it asks for none."""
    text = headers.get("Retry-After", "")
    if text.isdecimal():
        return float(text[:9])
    try:
        left = (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds()
    except (TypeError, ValueError, OverflowError):
        return None
    return left if left > 0 else None
