"""What may be wrong with the settings, each with the fix in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from mailaccounts.crypto import Key, PublicKey
from mailaccounts.mail.idle import LONGEST_RENEWAL
from mailaccounts.mail.network import Network
from mailaccounts.mail.types import Limits
from mailaccounts.presets import load_extra

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mailaccounts.conf import Settings

SHORTEST_SECRET = 32  # characters
DEPARTED_MAIL = ("keep", "hand_over", "erase")
NEW_KEY = 'python -c "import base64, os; print(base64.b64encode(os.urandom(32)).decode())"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something wrong in the settings: ``code`` is the number of the system check, ``fix`` what to do, in words."""

    code: str
    what: str
    fix: str


def of_shape(raw: Any, *, defaults: Mapping[str, Any]) -> Iterator[Problem]:
    """What keeps ``raw`` from being read: keys that aren't among ``defaults``, and values of another kind."""
    if not isinstance(raw, Mapping):
        yield Problem(code="E001", what="MAILACCOUNTS is not a dict.", fix="docs/settings.md shows its keys.")
        return
    for key, value in raw.items():
        if key not in defaults:
            yield Problem(
                code="E001",
                what=f"MAILACCOUNTS has an unknown key: {key!r}.",
                fix=f"Remove it or correct its spelling; the keys are {', '.join(defaults)}.",
            )
        elif wanted := _expected(defaults[key], value):
            yield Problem(code="E001", what=f"MAILACCOUNTS[{key!r}] can't be used.", fix=f"It must be {wanted}.")


def of_values(settings: Settings) -> Iterator[Problem]:
    """What can't be used of what was read, as far as that can be told without the rest of the app."""
    yield from _keys(settings)
    yield from _files_and_hosts(settings)
    yield from _numbers(settings)
    yield from _clients(settings)


def _expected(default: Any, value: Any) -> str:
    """What kind of value is expected, or "" when ``value`` is of it."""
    if isinstance(default, int):
        return "" if type(value) is int else "a whole number"
    if isinstance(default, str):
        return "" if isinstance(value, str) else "text"
    if isinstance(default, tuple):
        kind = int if default and isinstance(default[0], int) else str
        fits = isinstance(value, (list, tuple)) and all(isinstance(each, kind) for each in value)
        return "" if fits else f"a list of {'whole numbers' if kind is int else 'texts'}"
    fits = isinstance(value, Mapping) and all(isinstance(each, Mapping) for each in value.values())
    return "" if fits else "a dict with one dict for each provider"


def _keys(settings: Settings) -> Iterator[Problem]:
    fix = f"Make a new key and put it first in MAILACCOUNTS_SECRET_KEYS: {NEW_KEY}"
    if not settings.secret_keys:
        yield Problem(code="E002", what="MAILACCOUNTS has no SECRET_KEYS: nothing can be sealed.", fix=fix)
    seen: set[str] = set()
    for number, text in enumerate(settings.secret_keys, start=1):
        try:
            key_id = Key.parse(text).key_id
        except ValueError as error:
            yield Problem(code="E003", what=f"Key {number} of SECRET_KEYS can't be used: {error}.", fix=fix)
            continue
        if key_id in seen:
            yield Problem(
                code="E004",
                what=f"Key {number} of SECRET_KEYS is there twice.",
                fix="Remove the second one; a rotation needs a new key, put first.",
            )
        seen.add(key_id)
    for number, text in enumerate(settings.receipt_keys, start=1):
        try:
            PublicKey.parse(text)
        except ValueError as error:
            what = f"Entry {number} of RECEIPT_KEYS can't be used: {error}."
            yield Problem(code="E003", what=what, fix="manage.py receipt_keys prints them.")


def _files_and_hosts(settings: Settings) -> Iterator[Problem]:
    def network(*, allow: Sequence[str] = (), ports: Sequence[int] = (), ca_bundle: str = "") -> str:
        """What is wrong with a piece of the network's settings, or ""."""
        try:
            Network.from_text(allow=allow, ports=ports, ca_bundle=ca_bundle, limits=Limits())
        except ValueError as error:
            return f"{error}."
        return ""

    if wrong := network(ca_bundle=settings.ca_bundle):
        yield Problem(code="E007", what=wrong, fix="Correct MAILACCOUNTS_CA_BUNDLE, or leave it empty.")
    if settings.site_url and not settings.site_url.startswith(("https://", "http://")):
        yield Problem(code="E019", what="SITE_URL isn't the address of a site.", fix="Write it as https://HOST.")
    yield from _webhook(settings)
    if settings.departed_mail not in DEPARTED_MAIL:
        what = f"MAILACCOUNTS['DEPARTED_MAIL'] is {settings.departed_mail!r}."
        yield Problem(code="E001", what=what, fix=f"It must be one of {', '.join(DEPARTED_MAIL)}.")
    for entry in settings.allow_private_hosts:
        if wrong := network(allow=[entry]):
            yield Problem(code="E009", what=wrong, fix="Correct MAILACCOUNTS_ALLOW_PRIVATE_HOSTS.")
    for port in settings.allow_ports:
        if wrong := network(ports=[port]):
            yield Problem(code="E010", what=wrong, fix='Correct MAILACCOUNTS["ALLOW_PORTS"].')
    try:
        load_extra(settings.presets_file)
    except ValueError as error:
        fix = "Correct the file MAILACCOUNTS_PRESETS_FILE names; docs/providers.md shows the format."
        yield Problem(code="E008", what=f"{error}.", fix=fix)


def _webhook(settings: Settings) -> Iterator[Problem]:
    url, secrets = settings.webhook_url, settings.webhook_secrets
    if not url:
        return
    if not is_https(url.partition("?")[0]) or "#" in url or not url.isascii():
        yield Problem(code="E020", what="WEBHOOK_URL isn't an https address.", fix="Write it as https://HOST/PATH.")
    if not secrets or any(len(each) < SHORTEST_SECRET for each in secrets):
        yield Problem(
            code="E021",
            what="WEBHOOK_SECRETS is empty, or one of them is short: anybody could sign what the webhook is told.",
            fix=f"Make each {SHORTEST_SECRET} characters or longer, with Python's secrets.token_hex() say.",
        )


def _numbers(settings: Settings) -> Iterator[Problem]:
    for each in fields(settings):
        value = getattr(settings, each.name)
        if type(value) is int and value < 1:
            yield Problem(
                code="E011", what=f"MAILACCOUNTS[{each.name.upper()!r}] is {value}.", fix="It must be 1 or more."
            )
    if settings.sync_interval_max < settings.sync_interval:
        yield Problem(
            code="E011",
            what="SYNC_INTERVAL_MAX is shorter than SYNC_INTERVAL.",
            fix="Make it as long at least; accounts that no mail comes to are looked at as rarely as that.",
        )
    if settings.lease_seconds <= settings.sync_budget:
        yield Problem(
            code="E011",
            what="LEASE_SECONDS is not longer than SYNC_BUDGET: a second worker could take an account in use.",
            fix="Make LEASE_SECONDS longer, or SYNC_BUDGET shorter.",
        )
    if settings.watch_renew_seconds > LONGEST_RENEWAL:
        yield Problem(
            code="E011",
            what="WATCH_RENEW_SECONDS is more than 29 minutes: mail servers may log out whoever waits for longer.",
            fix=f"Make it {LONGEST_RENEWAL} or less.",
        )


def _clients(settings: Settings) -> Iterator[Problem]:
    for provider, client in settings.clients.items():
        authority, prefix = client.get("authority", ""), provider.upper()
        variables = {
            "client_id": f"{prefix}_CLIENT_ID",
            "client_secret": f"{prefix}_CLIENT_SECRET",
            "authority": f"{prefix}_ISSUER" if provider == "oidc" else f"{prefix}_AUTHORITY",
        }
        missing = [variable for key, variable in variables.items() if not client.get(key)]
        if missing and (client.get("client_id") or client.get("client_secret")):
            yield Problem(
                code="E014",
                what=f"The app registration for {provider} is incomplete.",
                fix=f"Set {' and '.join(missing)} as well, or nothing of it.",
            )
        if (day := client.get("secret_expires_on")) and not _is_day(day):
            yield Problem(
                code="E014",
                what=f"{day!r} is not the day on which the secret of {provider} ends.",
                fix=f"Write {prefix}_CLIENT_SECRET_EXPIRES as YYYY-MM-DD, or leave it empty.",
            )
        if authority and not is_https(authority):
            yield Problem(
                code="E014",
                what=f"The authority of {provider} is not an https address.",
                fix=f"Correct {variables['authority']}; secrets are sent there.",
            )


def _is_day(text: str) -> bool:
    try:
        return bool(date.fromisoformat(text))
    except ValueError:
        return False


def is_https(url: str) -> bool:
    """Whether ``url`` can be an authority or issuer: no query, no fragment (OpenID Connect Discovery §2)."""
    try:
        parts = urlsplit(url)
        usable = parts.port is None or parts.port > 0
    except ValueError:
        return False
    plain = not (parts.query or parts.fragment or parts.username) and url.isprintable() and " " not in url
    return usable and plain and parts.scheme == "https" and bool(parts.hostname)
