"""Whom an account stores mail of: whom the host knows, but for those its owner has blocked."""

from __future__ import annotations

from typing import Any

import pytest

from mailaccounts.models import Blocked
from mailaccounts.services.people import acquaintances
from tests.app.builders import make_account
from tests.crm.builders import make_contact

pytestmark = pytest.mark.django_db

ASKED = {"anna@c.test", "bert+x@d.test", "nobody@e.test"}


@pytest.fixture(autouse=True)
def _contacts() -> None:
    make_contact("anna@c.test")
    make_contact("bert@d.test")


def test_a_blocked_address_is_not_known_and_told_apart_from_strangers() -> None:
    account = make_account()
    Blocked.objects.create(owner=account.owner, pattern="bert@d.test")
    told = acquaintances.ask(account, ASKED)
    assert (told.known, told.blocked) == ({"anna@c.test"}, {"bert+x@d.test"})


def test_a_blocklist_is_its_owners_only() -> None:
    account = make_account()
    Blocked.objects.create(owner=make_account().owner, pattern="@d.test")
    assert acquaintances.ask(account, ASKED).known == {"anna@c.test", "bert+x@d.test"}


def test_the_blocklist_is_one_query_and_none_where_nobody_is_known(django_assert_num_queries: Any) -> None:
    account = make_account()
    with django_assert_num_queries(2):
        acquaintances.ask(account, ASKED)
    with django_assert_num_queries(1):
        acquaintances.ask(account, {"nobody@e.test"})
