"""Presets an installation brings itself, from a JSON file."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mailaccounts.errors import InvalidInput
from mailaccounts.mail.types import Endpoint
from mailaccounts.presets.preset import ProviderLimits, ProviderPreset, UsernameForm

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def load_extra(path: str | Path) -> tuple[ProviderPreset, ...]:
    """Reads the installation's own presets; "" means there are none.

    The file holds ``{"presets": [...]}``, objects with the fields of ProviderPreset but for ``ends``; ``imap`` and
    ``smtp`` are URLs such as ``imaps://mail.example.org:993``, ``limits`` is an object with the fields of
    ProviderLimits, and only ``slug``, ``label`` and ``imap`` must be there. ValueError says in words what is wrong
    with the file.
    """
    if not str(path):
        return ()
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"{path} can't be read: {error.strerror}") from None
    except ValueError:
        raise ValueError(f"{path} is not JSON") from None
    listed = content.get("presets") if isinstance(content, dict) else None
    if not isinstance(listed, list):
        raise ValueError(f'{path} must hold {{"presets": [...]}}')
    presets = tuple(_read(entry, where=f"preset {number} of {path}") for number, entry in enumerate(listed, 1))
    slugs = [preset.slug for preset in presets]
    twice = sorted({slug for slug in slugs if slugs.count(slug) > 1})
    if twice:
        raise ValueError(f"{path} has more than one preset called {', '.join(twice)}")
    return presets


def _read(entry: Any, *, where: str) -> ProviderPreset:
    if not isinstance(entry, dict):
        raise ValueError(f"{where} is not an object")
    unknown = sorted(set(entry) - set(_READERS))
    if unknown:
        raise ValueError(f"{where} has unknown fields: {', '.join(unknown)}")
    missing = [name for name in ("slug", "label", "imap") if not entry.get(name)]
    if missing:
        raise ValueError(f"{where} lacks {', '.join(missing)}")
    values: dict[str, Any] = {}
    for name, value in entry.items():
        try:
            values[name] = _READERS[name](value)
        except (ValueError, InvalidInput):
            raise ValueError(f"{where}: {name} must be {_EXPECTED[_READERS[name]]}, not {value!r}") from None
    return ProviderPreset(**values)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError
    return value.strip()


def _names(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise ValueError
    return tuple(_text(name).lower() for name in value)


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError
    return value


def _form(value: Any) -> UsernameForm:
    return UsernameForm(value)


def _imap(value: Any) -> Endpoint:
    return Endpoint.from_url(_text(value), protocol="imap")


def _smtp(value: Any) -> Endpoint | None:
    return None if value is None else Endpoint.from_url(_text(value), protocol="smtp")


def _limits(value: Any) -> ProviderLimits:
    names = {each.name for each in fields(ProviderLimits)}
    usable = isinstance(value, dict) and all(type(number) is int and number > 0 for number in value.values())
    if not usable or not value.keys() <= names:
        raise ValueError
    return ProviderLimits(**value)


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "slug": _text,
    "label": _text,
    "imap": _imap,
    "smtp": _smtp,
    "domains": _names,
    "mx": _names,
    "imap_hosts": _names,
    "username": _form,
    "credentials": _names,
    "provider": _text,
    "files_sent": _flag,
    "limits": _limits,
    "help_url": _text,
    "app_password_url": _text,
    "consents_url": _text,
}
_EXPECTED: Mapping[Callable[[Any], Any], str] = {
    _text: "a text",
    _names: "a list of texts",
    _flag: "true or false",
    _form: "address or local_part",
    _limits: f"an object with whole numbers: {', '.join(each.name for each in fields(ProviderLimits))}",
    _imap: "an address like imaps://host:993 or imap+starttls://host:143",
    _smtp: "an address like smtps://host:465 or smtp+starttls://host:587",
}
