"""Pictures of a message, which come by an address that is good for one person and for a while."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse

from mailaccounts.models import Message, Visibility
from mailaccounts.services.inbox import pictures
from mailaccounts.services.trail import break_glass
from tests.app.builders import make_account, make_message, make_user
from tests.app.staff import make_staff
from tests.app.test_detect import placed_in
from tests.crm_process import wait_until
from tests.domains import Page

if TYPE_CHECKING:
    from tests.domains import WebServer

pytestmark = pytest.mark.django_db

PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)
INSIDE = {"inside.test": "10.0.0.1"}


@pytest.fixture
def web(web_server: WebServer, monkeypatch: pytest.MonkeyPatch) -> WebServer:
    """A web host with a picture at corp.test/logo.png."""
    web_server.pages["corp.test", "/logo.png"] = Page(body=PNG)
    placed_in(web_server.network(INSIDE), monkeypatch)
    return web_server


def message_with(*addresses: str) -> Message:
    html = "".join(f'<img data-src="{address}">' for address in addresses)
    return make_message(make_account(), has_body=True, body_html=html)


def shown(client: Client, message: Message, number: int = 0, *, user: Any = None) -> Any:
    signed = pictures.sign(message, user=user or message.account.owner, number=number)
    return client.get(reverse("mailaccounts:picture", args=[signed]))


@pytest.mark.parametrize("scheme", ["https", "http"])
def test_a_picture_of_the_web_is_fetched_without_telling_who_asks(client: Client, web: WebServer, scheme: str) -> None:
    client.cookies["sessionid"] = "s3cret"
    response = shown(client, message_with(f"{scheme}://corp.test/logo.png"))
    assert (response.status_code, response.content, response["Content-Type"]) == (200, PNG, "image/png")
    assert response["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in response["Content-Security-Policy"]
    ((_, _, headers),) = web.asked
    assert headers.keys() == {"Host", "Accept", "Connection"}


@pytest.mark.parametrize(
    "address",
    [
        "https://inside.test/logo.png",
        "https://corp.test:6379@inside.test/",
        "https://corp.test/none.png",
        "https://stranger.test/logo.png",  # the certificate is for other names
        "https://[::1/",
        "https://corp.test:99999/",
        "https://corp.test/page",
        "https://corp.test/drawing",
        "https://corp.test/large",
        "https://corp.test/inside",
        "cid:nothing@x",
        "cid:",
        "",
    ],
)
def test_what_is_no_picture_or_at_no_public_place_is_not_there(client: Client, web: WebServer, address: str) -> None:
    web.pages |= {
        ("corp.test", "/page"): Page(body=b"<html>", headers={"Content-Type": "image/png"}),
        ("corp.test", "/drawing"): Page(body=b"<svg onload='alert(1)'/>"),
        ("corp.test", "/large"): Page(body=PNG + bytes(pictures.MAX_BYTES)),
        ("corp.test", "/inside"): Page(status=302, headers={"Location": "https://inside.test/logo.png"}),
    }
    assert shown(client, message_with(address)).status_code == 404


def test_an_odd_address_is_asked_for_as_a_browser_would(client: Client, web: WebServer) -> None:
    web.pages["corp.test", "/a%20b/%C3%BC.png?x=%C3%BC&y=%20"] = Page(body=PNG)
    assert shown(client, message_with("https://corp.test/a b/ü.png?x=ü&amp;y=%20")).status_code == 200


def test_a_picture_is_only_for_whom_it_was_signed_and_as_long_as_they_may_read_it(
    client: Client, web: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    message, colleague = message_with("https://corp.test/logo.png"), make_user()
    assert shown(client, message, user=colleague).status_code == 404
    message.account.visibility = Visibility.EVERYTHING
    message.account.save()
    assert shown(client, message, user=colleague).status_code == 200
    message.account.visibility = Visibility.SUBJECT
    message.account.save()
    assert shown(client, message, user=colleague).status_code == 404
    assert shown(client, message, 1).status_code == 404
    signed = pictures.sign(message, user=message.account.owner, number=0)
    for wrong in (signed[:-1] + "x", signed.partition(":")[0], "x", "W10:x"):
        assert client.get(reverse("mailaccounts:picture", args=[wrong])).status_code == 404
    later = time.time() + 2 * pictures.PERIOD
    monkeypatch.setattr(pictures.time, "time", lambda: later)
    assert client.get(reverse("mailaccounts:picture", args=[signed])).status_code == 404


def test_a_browser_keeps_no_picture_that_somebody_has_opened_for_a_while(client: Client, web: WebServer) -> None:
    message, jo = message_with("https://corp.test/logo.png"), make_staff("jo", "open_mail")
    opening = break_glass.open_mail(message.account, viewer=jo, reason="An order is missing", minutes=15)
    assert shown(client, message)["Cache-Control"] == "private, max-age=3600"
    assert shown(client, message, user=jo)["Cache-Control"] == "no-store"
    break_glass.end([opening], actor=jo)
    assert shown(client, message, user=jo).status_code == 404


def test_somebody_who_may_not_sign_in_any_more_sees_no_picture(client: Client, web: WebServer) -> None:
    message = message_with("https://corp.test/logo.png")
    message.account.owner.is_active = False
    message.account.owner.save()
    assert shown(client, message).status_code == 404
    assert web.asked == []


@pytest.mark.django_db(transaction=True)
def test_slow_pictures_of_one_person_leave_web_workers_to_others(client: Client, web: WebServer) -> None:
    patience = threading.Event()
    web.pages["corp.test", "/slow.png"] = Page(body=PNG, wait=patience)
    message, others = message_with("https://corp.test/slow.png"), message_with("https://corp.test/logo.png")

    def asked() -> int:
        try:
            return int(shown(Client(), message).status_code)
        finally:
            connection.close()

    with ThreadPoolExecutor(pictures.AT_ONCE) as pool:
        under_way = [pool.submit(asked) for _ in range(pictures.AT_ONCE)]
        wait_until(lambda: len(web.asked) == pictures.AT_ONCE, what="the questions")
        refused = shown(client, message)
        assert (refused.status_code, refused["Content-Type"]) == (429, "image/svg+xml")
        assert b"Too many pictures" in refused.content and refused["Retry-After"]
        assert shown(client, others).status_code == 200
        patience.set()
        assert [each.result() for each in under_way] == [200] * pictures.AT_ONCE
    assert shown(client, message).status_code == 200


def test_a_host_that_takes_its_time_or_never_ends_is_left(
    client: Client, web: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "SECONDS", 0.2)
    web.pages["corp.test", "/slow.png"] = Page(body=PNG, wait=threading.Event())
    web.pages["corp.test", "/huge.png"] = Page(body=PNG + bytes(2 * pictures.MAX_BYTES))
    slow, huge = message_with("https://corp.test/slow.png"), message_with("https://corp.test/huge.png")
    for message in [huge] + [slow] * (pictures.AT_ONCE + 1):  # one after another: nothing of them stays behind
        assert shown(client, message).status_code == 404
