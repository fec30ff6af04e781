"""rotate_keys: every secret gets under the first key while others read and write, however often it is killed."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest
from django.core.checks import run_checks
from django.core.management import call_command
from django.db import connection, transaction

from mailaccounts.crypto import Key, Secret, SecretBox
from mailaccounts.models import Credential, Grant, MailAccount
from mailaccounts.services.running.keys import column_name, rotate, sealed_columns
from tests.app.builders import make_client, make_credential, make_grant, make_user
from tests.crm_process import ROOT, environment, wait_until

if TYPE_CHECKING:
    from pytest_django.fixtures import SettingsWrapper

    from mailaccounts.fields import SealedField

pytestmark = pytest.mark.django_db(transaction=True)


def keys(settings: SettingsWrapper) -> list[str]:
    return list(settings.MAILACCOUNTS["SECRET_KEYS"])


def use_keys(settings: SettingsWrapper, *texts: str) -> None:
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "SECRET_KEYS": list(texts)}


def run() -> tuple[dict[str, dict[str, Any]], int]:
    """The report by column, and the exit status."""
    out, status = io.StringIO(), 0
    try:
        call_command("rotate_keys", "--json", stdout=out, stderr=io.StringIO())
    except SystemExit as ended:
        status = int(ended.code or 0)
    return {line["column"]: line for line in map(json.loads, out.getvalue().splitlines())}, status


def column(name: str) -> SealedField:
    return next(each for each in sealed_columns() if column_name(each) == name)


def counts(sealed: int, current: int, resealed: int, unreadable: int = 0) -> dict[str, int]:
    return {"sealed": sealed, "current": current, "resealed": resealed, "unreadable": unreadable}


def test_every_sealed_column_of_every_app_is_found() -> None:
    assert {column_name(each) for each in sealed_columns()} == {
        "mailaccounts.credential.secret",
        "mailaccounts.oauthclient.client_secret",
        "mailaccounts.oauthclient.next_secret",
        "mailaccounts.grant.state",
        "mailaccounts.grant.access_token",
        "mailaccounts.consentattempt.flow",
        "sign_in.secondfactorsecret.text",
    }


def test_afterwards_the_first_key_opens_everything(settings: SettingsWrapper) -> None:
    made, grant = make_credential(secret="s3cret"), make_grant()
    make_credential(grant=grant)
    new = Key.generate()
    use_keys(settings, new, *keys(settings))
    late = make_credential(secret="later")
    report, status = run()
    assert status == 0
    assert report["mailaccounts.credential.secret"] == {
        "column": "mailaccounts.credential.secret",
        **counts(2, 2, 1),
        "missing_keys": [],
    }
    assert report["mailaccounts.grant.state"]["resealed"] == 1
    assert report["mailaccounts.consentattempt.flow"]["sealed"] == 0
    use_keys(settings, new)
    assert Credential.objects.get(pk=made.pk).secret.reveal_text() == "s3cret"
    assert Credential.objects.get(pk=late.pk).secret.reveal_text() == "later"
    grant = Grant.objects.select_related("client").get(pk=grant.pk)
    opened = [grant.state, grant.access_token, grant.client.client_secret]
    assert [each.reveal_text() for each in opened] == ["st4te", "t0ken", "client-s3cret"]
    assert {line["resealed"] for line in run()[0].values()} == {0}


def test_what_can_not_be_opened_is_left_alone_and_counted_by_its_key(settings: SettingsWrapper) -> None:
    lost, old = Key.generate(), keys(settings)
    moved, fine = make_credential(), make_credential()
    use_keys(settings, lost)
    unreadable = make_credential(secret="lost")
    use_keys(settings, Key.generate(), *old)
    with connection.cursor() as cursor:
        cursor.execute("SELECT secret FROM mailaccounts_credential WHERE id = %s", [fine.pk])
        cursor.execute("UPDATE mailaccounts_credential SET secret = %s WHERE id = %s", [*cursor.fetchone(), moved.pk])
    report, status = run()
    assert status == 1
    line = report["mailaccounts.credential.secret"]
    assert line["missing_keys"] == [Key.parse(lost).key_id]
    assert {name: line[name] for name in counts(0, 0, 0)} == counts(3, 1, 1, unreadable=2)
    said = io.StringIO()
    with pytest.raises(SystemExit):
        call_command("rotate_keys", stdout=io.StringIO(), stderr=said)
    assert f"Add what is missing ({Key.parse(lost).key_id}) behind it" in said.getvalue()
    use_keys(settings, *keys(settings), lost)
    assert Credential.objects.get(pk=unreadable.pk).secret.reveal_text() == "lost"
    assert run()[0]["mailaccounts.credential.secret"]["resealed"] == 1


def test_a_rotation_by_the_provider_meanwhile_is_not_overwritten(settings: SettingsWrapper) -> None:
    """A refresher has the row's lock while rotate_keys, which read the row before, waits to write."""
    grant, state, old = make_grant(), column("mailaccounts.grant.state"), SecretBox([Key.parse(keys(settings)[0])])
    use_keys(settings, new := Key.generate(), *keys(settings))
    reports = []
    with transaction.atomic():
        rotated = old.seal(b"rotated", context=state.context(grant))  # by a worker that wasn't restarted yet
        with connection.cursor() as cursor:
            cursor.execute("UPDATE mailaccounts_grant SET state = %s WHERE id = %s", [rotated, grant.pk])
        thread = threading.Thread(target=lambda: (reports.append(rotate(state)), connection.close()))
        thread.start()
        wait_until(waits_for_a_lock, what="rotate_keys waits for the refresher")
    thread.join()
    use_keys(settings, new)
    assert Grant.objects.get(pk=grant.pk).state.reveal_text() == "rotated"
    assert (reports[0].sealed, reports[0].current, reports[0].resealed) == (1, 1, 1)


def waits_for_a_lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return bool(cursor.fetchone()[0])


@pytest.mark.parametrize("rows", [1_500, pytest.param(10_000, marks=pytest.mark.soak)])
def test_killed_twice_it_loses_nothing_and_reading_goes_on(settings: SettingsWrapper, rows: int) -> None:
    owner = make_user()
    accounts = MailAccount.objects.bulk_create(
        MailAccount(owner=owner, address=f"{number}@example.test", imap_host="imap.example.test")
        for number in range(rows)
    )
    made = Credential.objects.bulk_create(
        Credential(account=each, backend="password", username=each.address, secret=Secret(f"of {each.address}"))
        for each in accounts
    )
    use_keys(settings, new := Key.generate(), *keys(settings))
    env = environment(MAILACCOUNTS_SECRET_KEYS=",".join(keys(settings)))
    prefix = f"v1.{Key.parse(new).key_id}."
    current = Credential.objects.filter(secret__startswith=prefix)

    def assert_readable(some: Any) -> None:
        for each in Credential.objects.filter(pk__in=[credential.pk for credential in some]):
            assert each.secret.reveal_text() == f"of {each.username}"

    def rotating_until(count: int) -> subprocess.Popen[bytes]:
        process = subprocess.Popen([sys.executable, "manage.py", "rotate_keys", "--json"], cwd=ROOT, env=env,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)  # fmt: skip

        def far_enough() -> bool:
            assert_readable(made[:: rows // 50])
            return current.count() >= count or process.poll() is not None

        wait_until(far_enough, what=f"{count} secrets are under the new key")
        return process

    reached = 0
    for _ in range(2):
        process = rotating_until(reached + 1)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        before, reached = reached, current.count()
        assert before < reached < rows
    printed, complaints = rotating_until(rows).communicate(timeout=60)
    line = next(each for each in map(json.loads, printed.splitlines()) if each["column"].endswith(".secret"))
    assert {name: line[name] for name in counts(0, 0, 0)} == counts(rows, rows, rows - reached)
    assert complaints == b""
    use_keys(settings, new)
    assert_readable(made)
    assert Credential.objects.count() == rows


def test_it_prints_counts_and_nothing_else(settings: SettingsWrapper) -> None:
    make_credential(secret="s3cret")
    out = io.StringIO()
    call_command("rotate_keys", stdout=out)
    heads, *rows = out.getvalue().splitlines()
    assert heads.split() == ["COLUMN", "SEALED", "CURRENT", "RESEALED", "UNREADABLE", "MISSING", "KEYS"]
    assert ["mailaccounts.credential.secret", "1", "1", "0", "0"] in [row.split() for row in rows]
    assert "s3cret" not in out.getvalue()


@pytest.mark.parametrize("text", ["", "not a key"])
def test_without_a_usable_key_it_says_so_and_gives_no_traceback(text: str) -> None:
    make_client()
    ended = subprocess.run(
        [sys.executable, "manage.py", "rotate_keys"],
        cwd=ROOT, env=environment(MAILACCOUNTS_SECRET_KEYS=text), capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert ended.returncode == 1
    assert "mailaccounts.E00" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_missing_key_is_an_error_of_the_database_checks_only(settings: SettingsWrapper) -> None:
    make_grant()
    missing = Key.parse(keys(settings)[0]).key_id
    assert run_checks(tags=["mailaccounts"], databases=["default"]) == []
    use_keys(settings, Key.generate())
    assert run_checks(tags=["mailaccounts"]) == []
    (error,) = run_checks(tags=["mailaccounts"], databases=["default"])
    assert error.id == "mailaccounts.E016"
    assert error.msg == (
        f"Key {missing} is missing; secrets in mailaccounts.oauthclient.client_secret, mailaccounts.grant.state, "
        "mailaccounts.grant.access_token are sealed with it."
    )
