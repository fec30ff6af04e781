"""A person at the provider's pages, without a browser: fills in the forms and follows the redirects."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urljoin, urlsplit

if TYPE_CHECKING:
    from collections.abc import Collection

    import requests

    from mailaccounts.testing.sandbox.users import SandboxUser

SECONDS = 30


class Person:
    """Keeps cookies, so a second visit finds the person signed in."""

    def __init__(self, user: SandboxUser, session: requests.Session, *, provider: str) -> None:
        self.user = user
        self.session = session
        self.provider = provider

    def consent(self, authorization_url: str, *, without: Collection[str] = ()) -> dict[str, str]:
        """Signs in where asked and accepts, with the boxes of the scopes ``without`` unticked; the parameters of the
        callback."""
        return parameters(self.answer(authorization_url, allow=True, without=without))

    def decline(self, authorization_url: str) -> dict[str, str]:
        """Signs in where asked and declines; the parameters of the callback (``error=access_denied``)."""
        return parameters(self.answer(authorization_url, allow=False))

    def cancel(self, authorization_url: str) -> dict[str, str]:
        """Turns back at the sign-in page; the parameters of the callback."""
        page = self._get(authorization_url)
        return parameters(self._leave(self._submit(page, {"cancel": "1"})))

    def answer(self, authorization_url: str, *, allow: bool, without: Collection[str] = ()) -> str:
        """Goes all the way; the URL of the callback, which is not requested."""
        page = self._get(authorization_url)
        for _ in range(3):  # sign in, consent, and one to spare
            if leaves(page, self.provider):
                return page.headers["Location"]
            fields = form_fields(page.text)
            if "username" in fields:
                page = self._submit(page, {"username": self.user.address, "password": self.user.password})
            elif "client_id" in fields:
                unticked = [f"scope:{scope}" for scope in without]
                page = self._submit(page, {"allow": "1"} if allow else {"decline": "1"}, without=unticked)
            else:
                break
        raise AssertionError(f"no way on from the provider's page (HTTP {page.status_code}):\n{page.text}")

    def _get(self, url: str) -> requests.Response:
        return self._follow(self.session.get(url, allow_redirects=False, timeout=SECONDS))

    def _submit(
        self, page: requests.Response, answers: dict[str, str], *, without: Collection[str] = ()
    ) -> requests.Response:
        data = {**form_fields(page.text), **answers}
        for name in without:
            del data[name]
        sent = self.session.post(
            page.url, data=data, headers={"Referer": page.url}, allow_redirects=False, timeout=SECONDS
        )
        return self._follow(sent)

    def _follow(self, response: requests.Response) -> requests.Response:
        """Redirects within the provider; the first one that leaves it is given back."""
        while response.is_redirect and not leaves(response, self.provider):
            target = urljoin(response.url, response.headers["Location"])
            response = self.session.get(target, allow_redirects=False, timeout=SECONDS)
        return response

    @staticmethod
    def _leave(response: requests.Response) -> str:
        assert response.is_redirect, f"the provider did not redirect (HTTP {response.status_code}):\n{response.text}"
        return response.headers["Location"]


def parameters(callback_url: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(callback_url).query))


def leaves(response: requests.Response, provider: str) -> bool:
    return response.is_redirect and not urljoin(response.url, response.headers["Location"]).startswith(provider)


def form_fields(page: str) -> dict[str, str]:
    """The named inputs of a page with their values; buttons aren't inputs."""
    parser = _Inputs()
    parser.feed(page)
    return parser.fields


class _Inputs(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.fields: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag == "input" and found.get("name"):
            self.fields[str(found["name"])] = found.get("value") or ""
