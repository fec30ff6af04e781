"""The policy is on every page, and so it is on that for wrong addresses, in the demo too."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from django.test import Client
    from pytest_django.fixtures import SettingsWrapper


@pytest.mark.parametrize("debug", [False, True])
def test_a_page_that_is_not_there_is_ours_and_has_the_policy(
    client: Client, settings: SettingsWrapper, *, debug: bool
) -> None:
    settings.DEBUG = debug
    response = client.get("/nothing/")
    assert response.status_code == 404
    assert "There is nothing here" in response.text
    assert "default-src 'self'" in response["Content-Security-Policy"]
