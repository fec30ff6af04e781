"""``among`` finds what ``in`` finds, with one parameter however many values there are."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from mailaccounts.models import MailAccount, Thread
from tests.app.builders import make_account

pytestmark = pytest.mark.django_db

ODD = ["", "a,b", '{"}', "NULL", "back\\slash", "it's %s", "grüße"]


def found(**lookup: object) -> list[str]:
    return list(Thread.objects.filter(**lookup).order_by("pk").values_list("subject", flat=True))


@pytest.fixture
def account() -> MailAccount:
    account = make_account()
    Thread.objects.bulk_create(Thread(account=account, subject=subject) for subject in [*ODD, "other"])
    return account


def test_among_finds_the_same_texts_as_in(account: MailAccount) -> None:
    assert found(subject__among=set(ODD)) == found(subject__in=ODD) == ODD


def test_among_finds_numbers_on_either_side_of_a_relation(account: MailAccount) -> None:
    keys = list(Thread.objects.order_by("pk").values_list("pk", flat=True))
    assert found(id__among=keys) == found(account__id__among=[account.pk]) == [*ODD, "other"]
    assert found(id__among=[2**40, keys[0]]) == ODD[:1]


def test_nothing_is_among_nothing(account: MailAccount) -> None:
    assert found(subject__among=()) == found(id__among=()) == []


def test_many_values_are_one_parameter_where_the_database_has_arrays(account: MailAccount) -> None:
    with CaptureQueriesContext(connection) as queries:
        assert found(subject__among=[f"{number}" for number in range(5000)]) == []
    assert len(queries) == 1
    assert {"postgresql": " = ANY(", "sqlite": "json_each("}[connection.vendor] in queries[0]["sql"]
