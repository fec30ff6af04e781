"""What lists are narrowed down by, under titles that go on where Django says "By"."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin

if TYPE_CHECKING:
    from collections.abc import Iterable

    from django.db.models import Q, QuerySet
    from django.http import HttpRequest


class Choice(admin.SimpleListFilter):
    """A filter with choices of our own: ``narrow`` says which rows one of them is for."""

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, Any]]:
        return self.choose()

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value()
        return queryset if value is None else queryset.filter(self.narrow(value))

    def choose(self) -> Iterable[tuple[str, Any]]:
        raise NotImplementedError

    def narrow(self, value: str) -> Q:
        raise NotImplementedError


def titled(words: str, kind: type[admin.FieldListFilter]) -> type[admin.FieldListFilter]:
    """Django's filter of this ``kind`` for a column, whose name makes no title."""

    class Titled(kind):  # type: ignore[misc, valid-type]  # a class that is passed
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.title = words

    return Titled


def when(words: str) -> type[admin.FieldListFilter]:
    return titled(words, admin.DateFieldListFilter)
