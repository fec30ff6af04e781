"""Every backend keeps the contract: ours, and one from a package that isn't ours."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mailaccounts.backends.app_only import AppOnlyBackend
from mailaccounts.backends.app_password import AppPasswordBackend
from mailaccounts.backends.password import PasswordBackend
from mailaccounts.backends.registry import backend, backends
from mailaccounts.backends.xoauth2 import XOAuth2Backend
from mailaccounts.crypto import Secret
from mailaccounts.errors import InvalidInput
from mailaccounts.testing.contracts import SECRET, BackendContract, RecordingTokens
from tests.contracts.example_backend import CramMd5Backend

if TYPE_CHECKING:
    from pytest_django.fixtures import SettingsWrapper

    from mailaccounts.backends.base import CredentialBackend


class TestPasswordBackend(BackendContract):
    backend = PasswordBackend
    mechanisms = ("PLAIN", "LOGIN")
    filled_in = {"password": SECRET}

    def test_plain_is_preferred_for_it_takes_every_character(self) -> None:
        assert self.authenticator().mechanism(frozenset({"LOGIN", "PLAIN"})).name == "PLAIN"

    def test_a_password_is_sent_as_it_was_typed(self) -> None:
        form = PasswordBackend.form_class(data={"password": "  pä ss "})
        assert form.is_valid()
        assert PasswordBackend().accept(form.cleaned_data).reveal_text() == "  pä ss "


class TestAppPasswordBackend(BackendContract):
    backend = AppPasswordBackend
    mechanisms = ("PLAIN", "LOGIN")
    filled_in = {"app_password": SECRET}

    @pytest.mark.parametrize(
        ("typed", "accepted"),
        [
            ("abcd efgh ijkl mnop", "abcdefghijklmnop"),  # as Google and Yahoo show it
            ("abcd\N{NO-BREAK SPACE}efgh\N{NARROW NO-BREAK SPACE}ijkl\tmnop ", "abcdefghijklmnop"),
            ("abcd-efgh-ijkl-mnop", "abcd-efgh-ijkl-mnop"),  # as Apple does, whose dashes belong to it
            ("P4ssw0rd", "P4ssw0rd"),
        ],
    )
    def test_spaces_that_providers_show_are_left_out(self, typed: str, accepted: str) -> None:
        form = AppPasswordBackend.form_class(data={"app_password": typed})
        assert form.is_valid(), form.errors
        assert AppPasswordBackend().accept(form.cleaned_data).reveal_text() == accepted

    @pytest.mark.parametrize("typed", ["abcdefg", "a b c d e f g", " " * 16])
    def test_what_is_too_short_is_refused_without_being_repeated(self, typed: str) -> None:
        form = AppPasswordBackend.form_class(data={"app_password": typed})
        assert not form.is_valid()
        assert typed not in str(form.errors)


class TestXOAuth2Backend(BackendContract):
    backend = XOAuth2Backend
    mechanisms = ("XOAUTH2", "OAUTHBEARER")


class TestAppOnlyBackend(BackendContract):
    backend = AppOnlyBackend
    mechanisms = ("XOAUTH2", "OAUTHBEARER")


@pytest.mark.parametrize("kind", [XOAuth2Backend, AppOnlyBackend])
def test_xoauth2_goes_first_where_both_are_offered(kind: type[CredentialBackend]) -> None:
    authenticator = kind().authenticator("anna@example.test", Secret(b""), RecordingTokens())
    assert authenticator.mechanism(frozenset({"PLAIN", "OAUTHBEARER", "XOAUTH2"})).name == "XOAUTH2"


class TestSomebodyElsesBackend(BackendContract):
    backend = CramMd5Backend
    mechanisms = ("CRAM-MD5",)
    filled_in = {"shared_secret": SECRET}


def test_the_settings_alone_add_a_backend(settings: SettingsWrapper) -> None:
    path = f"{CramMd5Backend.__module__}.{CramMd5Backend.__name__}"
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "BACKENDS": [path]}
    assert list(backends()) == ["cram_md5"]
    assert isinstance(backend("cram_md5"), CramMd5Backend)
    with pytest.raises(InvalidInput):
        backend("password")


@pytest.mark.parametrize(
    ("paths", "error"),
    [
        (["no.such.Backend"], ImportError),
        (["mailaccounts.crypto.Secret"], TypeError),
        (["mailaccounts.backends.password.PasswordBackend"] * 2, ValueError),
    ],
)
def test_a_backend_that_can_not_be_used_is_refused(
    settings: SettingsWrapper, paths: list[str], error: type[Exception]
) -> None:
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "BACKENDS": paths}
    with pytest.raises(error):
        backends()


def test_the_documented_backend_is_the_one_tested_here() -> None:
    root = Path(__file__).resolve().parents[2]
    example = (root / "tests/contracts/example_backend/__init__.py").read_text(encoding="utf-8")
    assert f"```python\n{example}```\n" in (root / "docs/adding-a-backend.md").read_text(encoding="utf-8")
