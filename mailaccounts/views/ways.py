"""The ways to sign in that a page offers: one it is about, the best unless ``?with=`` chooses, and the others."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from django.http import Http404

from mailaccounts.backends.base import CredentialBackend, FormBackend
from mailaccounts.backends.registry import backends
from mailaccounts.services.consents import consent
from mailaccounts.services.registering import clients
from mailaccounts.views.describe import names
from mailaccounts.views.health import announcement

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.http import HttpRequest, QueryDict

    from mailaccounts.presets import ProviderPreset
    from mailaccounts.services.consents.consent import Offer


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """``slug`` is that of a backend."""

    slug: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    """``chosen`` is None where nothing that the provider takes is to be had here, and ``missing`` says why.

    ``typed`` is its backend where something is typed, ``offers`` are those of a consent. ``notes`` are what to know of
    the chosen way beforehand.
    """

    chosen: Way | None
    others: list[Way]
    typed: FormBackend | None = None
    offers: list[Offer] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    missing: str = ""


def ways(preset: ProviderPreset | None, offers: Sequence[Offer], *, asked: str = "") -> Ways:
    """What a mailbox can be signed in with: first what its provider takes, in its order, then whatever else there is.

    ``asked`` is what somebody chose.
    """
    there = _usable(consents=bool(offers))
    taken = [slug for slug in (preset.credentials if preset else ()) if slug in there]
    order = [*taken, *(slug for slug in there if slug not in taken)]
    best = next(iter(taken if preset else order), "")
    slug = asked if asked in there else best
    typed = there.get(slug)
    return Ways(
        chosen=Way(slug=slug, label=_label(there[slug], offers)) if slug else None,
        others=[Way(slug=each, label=_label(there[each], offers)) for each in order if each != slug],
        typed=typed if isinstance(typed, FormBackend) else None,
        offers=list(offers) if slug and not isinstance(typed, FormBackend) else [],
        notes=_notes(preset, slug) if preset and slug else [],
        missing=_missing(preset) if preset and not offers else "",
    )


def typed_ways(preset: ProviderPreset | None, *, asked: str, usual: str = "") -> tuple[Ways, FormBackend]:
    """Only those where something is typed, and one of them in any case; ``usual`` is what the mailbox signs in with.

    404 for another, and where an installation has none.
    """
    there, best = _usable(consents=False), ways(preset, []).chosen
    slug = asked or (usual if usual in there else best.slug if best else next(iter(there), ""))
    found = ways(preset, [], asked=slug)
    if found.typed is None or found.typed.slug != slug:
        raise Http404
    return found, found.typed


def asked_for(request: HttpRequest) -> str:
    """The way that the address of the page asks for, else the one whose fields were filled in; "" for neither.

    404 for one that this installation doesn't have.
    """
    asked = request.GET.get("with", "")
    if asked and asked not in _usable(consents=True):
        raise Http404
    filled_in = (slug for slug, each in _usable(consents=False).items() if was_typed(each, request.POST))
    return asked or next(filled_in, "")


def is_typed(slug: str) -> bool:
    return slug in _usable(consents=False)


def was_typed(backend: CredentialBackend, data: QueryDict) -> bool:
    """Whether ``data`` has the fields of what is typed, filled in or not."""
    return isinstance(backend, FormBackend) and any(name in data for name in backend.form_class.base_fields)


def _usable(*, consents: bool) -> dict[str, CredentialBackend]:
    """The backends a person can use, in the order of the settings."""
    by_consent = consent.backend_slug() if consents else None
    return {slug: each for slug, each in backends().items() if isinstance(each, FormBackend) or slug == by_consent}


def _label(backend: CredentialBackend, offers: Sequence[Offer]) -> str:
    if isinstance(backend, FormBackend):
        return backend.label
    return f"Sign in with {names(offer.label for offer in offers)}"


def _notes(preset: ProviderPreset, slug: str) -> list[str]:
    """What the provider thinks of this way: that it has an end, or that it isn't taken at all."""
    ends = [announcement(preset.label, slug, end) for end in preset.ends if end.credential == slug]
    if ends or slug in preset.credentials:
        return ends
    if "app_password" in preset.credentials:
        return [f"{preset.label} takes an app password, not that of your account."]
    kinds = [_taken(preset, slug) for slug in preset.credentials if slug in backends()]
    return [f"{preset.label} takes {' or '.join(kinds) or 'a sign-in of another kind'}."]


def _taken(preset: ProviderPreset, slug: str) -> str:
    """A way to sign in that the provider takes, as a part of a sentence."""
    backend = backends()[slug]
    return (
        f"a {backend.label.lower()}"
        if isinstance(backend, FormBackend)
        else f"a sign-in at {clients.label(preset.provider)}"
    )


def _missing(preset: ProviderPreset) -> str:
    """That the provider's own sign-in isn't to be had, where it would be the best."""
    if not preset.provider or preset.credentials[:1] != (consent.backend_slug(),):
        return ""
    return (
        f"{preset.label} is best connected by signing in at {clients.label(preset.provider)}, which this installation "
        "isn't registered for yet. Whoever runs it can add an app registration; ask them, or go another way."
    )
