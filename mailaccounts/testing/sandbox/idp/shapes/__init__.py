"""The three kinds of provider this process is at once, told apart by the first step of a URL's path."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from mailaccounts.testing.sandbox.idp.shapes.base import Problem, Shape
from mailaccounts.testing.sandbox.idp.shapes.entra import Entra
from mailaccounts.testing.sandbox.idp.shapes.generic import GenericOidc
from mailaccounts.testing.sandbox.idp.shapes.google import Google
from mailaccounts.testing.sandbox.idp.task import published

if TYPE_CHECKING:
    from django.http import HttpRequest

__all__ = ["SCOPES", "SHAPES", "Problem", "Shape", "shape_at", "shape_of", "shape_of_client"]

SHAPES: dict[str, Shape] = {shape.slug: shape for shape in (Entra(), Google(), GenericOidc())}
"""By slug, which is the namespace of its URLs too."""

SCOPES = {
    **{name: text for shape in SHAPES.values() for name, text in shape.scopes.items()},
    "introspection": "Ask about tokens",
}
"""Every scope there is, with what the consent page says of it."""


def shape_of(request: HttpRequest) -> Shape:
    """Whose URL was asked for; Entra's for those that are nobody's."""
    match = request.resolver_match
    return SHAPES.get(match.namespace if match else "", SHAPES[Entra.slug])


def shape_at(url: str) -> Shape:
    """Whose URL this is: Entra's paths begin with a tenant, the others' with their own name."""
    return SHAPES.get(urlsplit(url).path.split("/")[1], SHAPES[Entra.slug])


def shape_of_client(client_id: str) -> Shape | None:
    """Where a client is registered; None for the mail servers."""
    return next((SHAPES[slug] for slug, client in published().clients.items() if client_id in client.ids), None)
