"""The system checks: what is wrong with the settings is said in words, with the fix, and never by a traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.checks import CheckMessage, run_checks
from django.test import override_settings

ROOT = Path(__file__).resolve().parents[2]
KEY = "c2VjcmV0LWtleS1vZi10aGUtdGVzdHMtMzItYnl0ZXM="


class NotABackend:
    """Importable, and nothing else."""


def reported(**changes: Any) -> list[CheckMessage]:
    with override_settings(MAILACCOUNTS={**settings.MAILACCOUNTS, **changes}):
        return run_checks(tags=["mailaccounts"])


def ids(messages: list[CheckMessage]) -> list[str]:
    return [str(message.id).removeprefix("mailaccounts.") for message in messages]


def test_the_crm_has_nothing_to_report() -> None:
    assert run_checks(tags=["mailaccounts"]) == []


@pytest.mark.parametrize(
    ("changes", "expected", "words"),
    [
        ({"SECRET_KEY": [KEY]}, "E001", "unknown key: 'SECRET_KEY'"),
        ({"SYNC_INTERVAL": "300"}, "E001", "SYNC_INTERVAL"),
        ({"SYNC_INTERVAL": True}, "E001", "SYNC_INTERVAL"),
        ({"BACKENDS": "mailaccounts.backends.password.PasswordBackend"}, "E001", "BACKENDS"),
        ({"CLIENTS": {"microsoft": "abc"}}, "E001", "CLIENTS"),
        ({"CA_BUNDLE": None}, "E001", "CA_BUNDLE"),
        ({"SECRET_KEYS": []}, "E002", "nothing can be sealed"),
        ({"SECRET_KEYS": ["c2hvcnQ="]}, "E003", "Key 1"),
        ({"SECRET_KEYS": [KEY, "not base64 at all!"]}, "E003", "Key 2"),
        ({"SECRET_KEYS": ["A" * 43 + "="]}, "E003", "random"),
        ({"SECRET_KEYS": [KEY, KEY]}, "E004", "twice"),
        ({"BACKENDS": ["nowhere.Backend"]}, "E005", "can't be imported"),
        ({"BACKENDS": ["mailaccounts.backends.password.Nothing"]}, "E005", "can't be imported"),
        ({"BACKENDS": ["tests.app.test_checks.NotABackend"]}, "E005", "not a credential backend"),
        ({"BACKENDS": ["mailaccounts.backends.password.PasswordBackend"] * 2}, "E005", "same slug"),
        ({"BACKENDS": []}, "E005", "no credential backend"),
        ({"HOOKS": "crm.hooks.Nobody"}, "E006", "can't be imported"),
        ({"HOOKS": "tests.app.test_checks.NotABackend"}, "E006", "not a subclass"),
        ({"CA_BUNDLE": "/nowhere/ca.pem"}, "E007", "/nowhere/ca.pem"),
        ({"CA_BUNDLE": __file__}, "E007", "PEM"),
        ({"PRESETS_FILE": "/nowhere/presets.json"}, "E008", "/nowhere/presets.json"),
        ({"PRESETS_FILE": __file__}, "E008", "not JSON"),
        ({"ALLOW_PRIVATE_HOSTS": ["10.0.0.0/8", "mail.internal"]}, "E009", "mail.internal"),
        ({"ALLOW_PORTS": [993, 99_999]}, "E010", "99999"),
        ({"SYNC_INTERVAL": 0}, "E011", "SYNC_INTERVAL"),
        ({"LEASE_SECONDS": 60}, "E011", "LEASE_SECONDS"),
        ({"CLIENTS": {"microsoft": {"client_id": "abc", "client_secret": ""}}}, "E014", "incomplete"),
        (
            {"CLIENTS": {"microsoft": {"client_id": "a", "client_secret": "b", "authority": "http://login"}}},
            "E014",
            "https",
        ),
        ({"CLIENTS": {"oidc": {"client_id": "a", "client_secret": "b", "authority": ""}}}, "E014", "incomplete"),
        ({"CLIENTS": {"google": {"secret_expires_on": "1 May 2027"}}}, "E014", "not the day"),
        *[
            ({"CLIENTS": {"oidc": {"client_id": "a", "client_secret": "b", "authority": issuer}}}, "E014", "https")
            for issuer in (
                "login.example.test",
                "https://",
                "https://login.example.test:port",
                "https://login.example.test?a=b",
                "https://login.example.test/#a",
                "https://user:password@login.example.test",
            )
        ],
    ],
)
def test_each_mistake_is_reported_once_with_a_fix(changes: dict[str, Any], expected: str, words: str) -> None:
    messages = reported(**changes)
    assert ids(messages) == [expected]
    assert words in messages[0].msg
    assert messages[0].hint


@pytest.mark.parametrize(
    ("client", "variables"),
    [
        ({"client_secret": "b", "authority": "https://login.example.test"}, "OIDC_CLIENT_ID"),
        ({"client_id": "a", "authority": "https://login.example.test"}, "OIDC_CLIENT_SECRET"),
        ({"client_id": "a", "client_secret": "b"}, "OIDC_ISSUER"),
        ({"client_id": "a"}, "OIDC_CLIENT_SECRET and OIDC_ISSUER"),
    ],
)
def test_what_is_missing_of_a_registration_is_named(client: dict[str, str], variables: str) -> None:
    (message,) = reported(CLIENTS={"oidc": client})
    assert variables in str(message.hint)


def test_a_registration_that_is_not_used_lacks_nothing() -> None:
    assert reported(CLIENTS={"oidc": {"client_id": "", "client_secret": "", "authority": "https://a.test"}}) == []


def test_no_check_repeats_a_key() -> None:
    spoiled = "b" + KEY[:-4]
    assert spoiled not in repr(reported(SECRET_KEYS=[spoiled]))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"timeout": 150}, ["E012"]),  # shorter than LEASE_SECONDS
        ({"retry": 300}, ["E012"]),  # not longer than the timeout
        ({"timeout": None}, ["E012"]),
        ({"max_attempts": 0}, ["E013"]),
        ({"ack_failures": False}, ["E013"]),
        ({"sync": True}, []),
    ],
)
def test_queue_timing(changes: dict[str, Any], expected: list[str]) -> None:
    with override_settings(Q_CLUSTER={**settings.Q_CLUSTER, **changes}):
        assert ids(run_checks(tags=["mailaccounts"])) == expected


def test_queue_timing_is_judged_while_the_settings_have_no_shape() -> None:
    with override_settings(Q_CLUSTER={**settings.Q_CLUSTER, "timeout": 150}):
        queue = [message for message in reported(SYNC_INTERVALL=300) if message.id == "mailaccounts.E012"]
    assert "longer than LEASE_SECONDS (180)" in queue[0].msg


def test_a_missing_queue_is_reported() -> None:
    with override_settings(Q_CLUSTER=None):
        assert ids(run_checks(tags=["mailaccounts"])) == ["E012"]


@pytest.mark.parametrize("app", ["django_htmx", "django_q"])
def test_an_app_we_need_is_missed(app: str) -> None:
    with override_settings(INSTALLED_APPS=[name for name in settings.INSTALLED_APPS if name != app]):
        assert [(message.id, app in message.msg) for message in run_checks(tags=["mailaccounts"])] == [
            ("mailaccounts.E017", True)
        ]


def test_a_middleware_we_need_is_missed() -> None:
    with override_settings(MIDDLEWARE=[name for name in settings.MIDDLEWARE if "htmx" not in name]):
        assert ids(run_checks(tags=["mailaccounts"])) == ["E018"]


def test_a_host_without_hooks_is_warned() -> None:
    assert ids(reported(HOOKS="mailaccounts.hooks.Hooks")) == ["W001"]


def test_a_token_for_metrics_without_the_package_that_writes_them_is_warned_of(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    token = "t" * 40
    assert reported(METRICS_TOKEN=token) == []
    monkeypatch.setitem(sys.modules, "prometheus_client", None)  # as Python has it where it isn't installed
    (warning,) = reported(METRICS_TOKEN=token)
    assert (warning.id, warning.hint) == ("mailaccounts.W003", "pip install 'django-mailaccounts[metrics]'")
    assert token not in warning.msg
    assert reported(METRICS_TOKEN="") == []


def manage(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs manage.py in an environment that has only what is given."""
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "ENV_FILE": os.devnull, "DATABASE_URL": "sqlite://:memory:", **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_everything_wrong_at_once_gives_words_and_no_traceback() -> None:
    result = manage(
        "check",
        SECRET_KEY="x" * 60,
        MAILACCOUNTS_SECRET_KEYS="short,short",
        MAILACCOUNTS_CA_BUNDLE="/nowhere/ca.pem",
        MAILACCOUNTS_ALLOW_PRIVATE_HOSTS="everything",
        MAILACCOUNTS_PRESETS_FILE="/nowhere/presets.json",
        MICROSOFT_CLIENT_ID="only-half",
    )
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    for code in ("E003", "E007", "E008", "E009", "E014"):
        assert f"mailaccounts.{code}" in result.stderr


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({}, "SECRET_KEY is not set"),
        ({"SECRET_KEY_FILE": "/nowhere/key"}, "SECRET_KEY_FILE"),
        ({"SECRET_KEY": "x" * 60, "DATABASE_URL": "not a url"}, "DATABASE_URL"),
        ({"SECRET_KEY": "x" * 60, "Q_WORKERS": "many"}, "Q_WORKERS"),
        ({"SECRET_KEY": "x" * 60, "REDIS_URL": "localhost:6379"}, "REDIS_URL"),
        ({"SECRET_KEY": "x" * 60, "EMAIL_URL": "mail.example.com"}, "EMAIL_URL"),
        ({"SECRET_KEY": "x" * 60, "LOG_LEVEL": "loud"}, "LOG_LEVEL"),
    ],
)
def test_an_environment_that_cannot_be_read_is_explained(environment: dict[str, str], words: str) -> None:
    result = manage("check", **environment)
    assert result.returncode != 0
    assert words in result.stderr.splitlines()[-1]


def test_a_file_that_cannot_be_read_is_explained_beside_an_env_file_too(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("SECRET_KEY=of-the-file\n")
    result = manage("check", ENV_FILE=str(tmp_path / ".env"), SECRET_KEY_FILE="/nowhere/key")
    assert result.stderr.splitlines()[-1].endswith(
        "/nowhere/key, named by a _FILE, can't be read: No such file or directory"
    )


def test_the_deployment_checks_are_clean() -> None:
    secret_key = "".join(chr(33 + number) for number in range(2, 80) if chr(33 + number) not in "$\\'\"")
    result = manage(
        "check", "--deploy", "--fail-level", "WARNING", SECRET_KEY=secret_key, MAILACCOUNTS_SECRET_KEYS=KEY
    )
    assert (result.returncode, result.stderr) == (0, "")
