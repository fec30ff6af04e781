"""The page that tells how far the erasing of mail is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mailaccounts.models import Why
from mailaccounts.services.people import forgetting
from tests.app.builders import make_account, make_user
from tests.crm.builders import store_message

if TYPE_CHECKING:
    from django.test import Client

pytestmark = pytest.mark.django_db


def test_who_asked_for_it_sees_how_far_it_is(client: Client) -> None:
    account = make_account()
    store_message(account, sender="maria@c.test", to=account.address)
    erasing = forgetting.begin(["maria@c.test"], why=Why.REMOVED, asked_by=account.owner)
    client.force_login(account.owner)
    address = f"/mail/erasing/{erasing.pk}/"
    page = client.get(address).content.decode()
    assert 'data-erasing="running"' in page
    assert f'hx-get="{address}"' in page
    forgetting.go_on(erasing.pk)
    fragment = client.get(address, headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in fragment
    assert 'data-erasing="done"' in fragment
    assert "1 message," in fragment
    assert "hx-get" not in fragment
    assert "maria" not in page + fragment


def test_nobody_else_finds_it(client: Client) -> None:
    erasing = forgetting.begin(["maria@c.test"], why=Why.REMOVED, asked_by=make_user())
    client.force_login(make_user())
    assert client.get(f"/mail/erasing/{erasing.pk}/").status_code == 404
