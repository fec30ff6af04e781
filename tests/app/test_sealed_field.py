"""Secrets in the database: sealed, bound to their row, and out only by ``reveal``."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import pytest
from django.core import serializers
from django.core.serializers.base import DeserializationError
from django.db import connection
from django.db.models import UUIDField

from mailaccounts.crypto import Key, Secret
from mailaccounts.errors import KeyMissing, SealBroken
from mailaccounts.models import Credential, Grant
from tests.app.builders import make_account, make_client, make_credential, make_grant

if TYPE_CHECKING:
    import uuid

    from pytest_django.fixtures import SettingsWrapper

pytestmark = pytest.mark.django_db


def stored(pk: uuid.UUID) -> object:
    """As the database keeps it: SQLite knows no UUIDs."""
    return UUIDField().get_db_prep_value(pk, connection)


def column(table: str, name: str, pk: uuid.UUID) -> str:
    with connection.cursor() as cursor:
        cursor.execute(f'SELECT "{name}" FROM {table} WHERE id = %s', [stored(pk)])  # noqa: S608 - ours
        return str(cursor.fetchone()[0])


def put(table: str, name: str, pk: uuid.UUID, text: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f'UPDATE {table} SET "{name}" = %s WHERE id = %s', [text, stored(pk)])  # noqa: S608 - ours


def test_a_secret_is_sealed_in_its_column_and_opens_on_reading() -> None:
    made = make_credential(secret="s3cret")
    assert "s3cret" not in column("mailaccounts_credential", "secret", made.pk)
    assert Credential.objects.get(pk=made.pk).secret.reveal_text() == "s3cret"


def test_a_secret_opens_on_the_instance_that_was_saved() -> None:
    assert make_credential(secret="s3cret").secret.reveal_text() == "s3cret"


def test_a_ciphertext_moved_to_another_row_does_not_open() -> None:
    mine, yours = make_credential(), make_credential()
    put("mailaccounts_credential", "secret", mine.pk, column("mailaccounts_credential", "secret", yours.pk))
    with pytest.raises(SealBroken):
        Credential.objects.get(pk=mine.pk).secret  # noqa: B018 - reading opens


def test_a_credential_moved_to_another_account_does_not_open() -> None:
    made, elsewhere = make_credential(), make_account()
    Credential.objects.filter(pk=made.pk).update(account=elsewhere)
    with pytest.raises(SealBroken):
        Credential.objects.get(pk=made.pk).secret  # noqa: B018 - reading opens


def test_a_ciphertext_moved_to_another_column_does_not_open() -> None:
    grant = make_grant()
    put("mailaccounts_grant", "access_token", grant.pk, column("mailaccounts_grant", "state", grant.pk))
    grant = Grant.objects.get(pk=grant.pk)
    assert grant.state.reveal_text() == "st4te"
    with pytest.raises(SealBroken):
        grant.access_token  # noqa: B018 - reading opens


def test_after_a_rotation_the_old_key_opens_and_the_new_one_seals(settings: SettingsWrapper) -> None:
    made, old = make_credential(secret="s3cret"), settings.MAILACCOUNTS["SECRET_KEYS"]
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "SECRET_KEYS": [Key.generate(), *old]}
    again = Credential.objects.get(pk=made.pk)
    assert again.secret.reveal_text() == "s3cret"
    before = column("mailaccounts_credential", "secret", made.pk)
    again.secret = again.secret
    again.save()
    assert column("mailaccounts_credential", "secret", made.pk).split(".")[1] != before.split(".")[1]
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "SECRET_KEYS": settings.MAILACCOUNTS["SECRET_KEYS"][:1]}
    assert Credential.objects.get(pk=made.pk).secret.reveal_text() == "s3cret"


def test_a_lost_key_is_named(settings: SettingsWrapper) -> None:
    made = make_credential()
    key_id = column("mailaccounts_credential", "secret", made.pk).split(".")[1]
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "SECRET_KEYS": [Key.generate()]}
    with pytest.raises(KeyMissing, match=key_id):
        Credential.objects.get(pk=made.pk).secret  # noqa: B018 - reading opens


def test_a_query_neither_writes_nor_compares_plain_text() -> None:
    make_credential()
    with pytest.raises(TypeError):
        Credential.objects.update(secret="s3cret")
    with pytest.raises(TypeError):
        Credential.objects.filter(secret="s3cret").exists()


def test_listing_rows_opens_nothing(settings: SettingsWrapper) -> None:
    make_credential()
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "SECRET_KEYS": []}
    assert [str(each) for each in Credential.objects.all()]


def test_validating_a_row_leaves_its_secret_alone() -> None:
    client = make_client(client_secret=Secret("s3cret"))
    client.full_clean(validate_unique=False, validate_constraints=False)
    client.save()
    client.refresh_from_db()
    assert client.client_secret.reveal_text() == "s3cret"


def test_a_dump_holds_the_ciphertext() -> None:
    made = make_credential(secret="s3cret")
    dumped = serializers.serialize("json", [made, Credential.objects.get(pk=made.pk)])
    assert "s3cret" not in dumped
    assert dumped.count(column("mailaccounts_credential", "secret", made.pk)) == 2


def test_a_dump_is_restored_as_it_was_without_a_key(settings: SettingsWrapper) -> None:
    made, world = make_credential(secret="s3cret"), settings.MAILACCOUNTS
    dumped, before = serializers.serialize("json", [made]), column("mailaccounts_credential", "secret", made.pk)
    settings.MAILACCOUNTS = {**world, "SECRET_KEYS": []}
    for existing in (True, False):
        if not existing:
            Credential.objects.all().delete()
        for each in serializers.deserialize("json", dumped):
            each.save()
        assert column("mailaccounts_credential", "secret", made.pk) == before
    settings.MAILACCOUNTS = world
    assert Credential.objects.get(pk=made.pk).secret.reveal_text() == "s3cret"


def test_a_dump_with_plain_text_is_not_restored() -> None:
    made = make_credential(secret="s3cret")
    dumped = serializers.serialize("json", [made])
    plain = dumped.replace(column("mailaccounts_credential", "secret", made.pk), "s3cret")
    with pytest.raises(DeserializationError):
        list(serializers.deserialize("json", plain))


def test_a_pickled_row_does_not_hold_the_secret() -> None:
    made = Credential.objects.get(pk=make_credential(secret="s3cret").pk)
    assert made.secret.reveal_text() == "s3cret"
    assert b"s3cret" not in pickle.dumps(made)


def test_a_deferred_secret_is_fetched_when_it_is_read() -> None:
    made = make_credential(secret="s3cret")
    assert Credential.objects.defer("secret").get(pk=made.pk).secret.reveal_text() == "s3cret"


def test_no_secret_stays_no_secret() -> None:
    made = make_credential(grant=make_grant())
    assert Credential.objects.get(pk=made.pk).secret is None
