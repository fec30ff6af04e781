"""The policy is on every page, except on those that Django shows with DEBUG."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from django.test import Client
    from pytest_django.fixtures import SettingsWrapper


def test_a_page_that_is_not_there_has_the_policy(client: Client) -> None:
    response = client.get("/nothing/")
    assert response.status_code == 404
    assert "default-src 'self'" in response["Content-Security-Policy"]


def test_djangos_page_for_developers_keeps_its_styles(client: Client, settings: SettingsWrapper) -> None:
    settings.DEBUG = True
    response = client.get("/nothing/")
    assert b"<style>" in response.content
    assert "Content-Security-Policy" not in response
