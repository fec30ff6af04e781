"""MAILACCOUNTS as a frozen object."""

from __future__ import annotations

import dataclasses

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings

from mailaccounts.conf import Settings, problems, settings
from mailaccounts.crypto import Key


def test_the_defaults_lack_only_a_key() -> None:
    assert [problem.code for problem in problems({})] == ["E002"]
    assert list(problems({"SECRET_KEYS": [Key.generate()]})) == []


def test_lists_become_tuples_and_nothing_can_be_changed() -> None:
    loaded = Settings.load({"ALLOW_PRIVATE_HOSTS": ["10.0.0.0/8"]})
    assert loaded.allow_private_hosts == ("10.0.0.0/8",)
    with pytest.raises(dataclasses.FrozenInstanceError):
        loaded.sync_interval = 1  # type: ignore[misc]  # that it can't be assigned is what is tested


def test_an_unknown_key_stops_whoever_uses_the_settings_and_names_it() -> None:
    with pytest.raises(ImproperlyConfigured, match="SYNC_INTERVALL"):
        Settings.load({"SYNC_INTERVALL": 1})


def test_settings_follow_an_override() -> None:
    before = settings.sync_interval
    with override_settings(MAILACCOUNTS={"SYNC_INTERVAL": before + 1}):
        assert settings.sync_interval == before + 1
    assert settings.sync_interval == before


def test_the_object_prints_no_secret() -> None:
    key = Key.generate()
    loaded = Settings.load({"SECRET_KEYS": [key], "CLIENTS": {"microsoft": {"client_secret": "s3cr3t-s3cr3t"}}})
    assert key not in repr(loaded)
    assert "s3cr3t" not in repr(loaded)


def test_an_unusable_key_is_not_repeated() -> None:
    with pytest.raises(ImproperlyConfigured) as caught:
        _ = Settings.load({"SECRET_KEYS": ["hunter22-hunter22"]}).box
    assert "hunter22" not in str(caught.value)
