"""An admin to look at things with, however many there are. What changes them goes through services, which prove it
first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib import admin
from django.contrib.admin.utils import flatten_fieldsets
from django.contrib.auth import get_user_model
from django.core.exceptions import FieldDoesNotExist
from django.core.paginator import Paginator
from django.utils.functional import cached_property

if TYPE_CHECKING:
    from django.db import models
    from django.db.models import QuerySet
    from django.http import HttpRequest, HttpResponse

    _ModelAdmin = admin.ModelAdmin[models.Model]
    _TabularInline = admin.TabularInline[models.Model, models.Model]
    _Paginator = Paginator[Any]
else:
    _ModelAdmin, _TabularInline, _Paginator = admin.ModelAdmin, admin.TabularInline, Paginator

USERNAME = get_user_model().USERNAME_FIELD  # what a host calls it; users are searched for by it
MOST = 2000  # rows that a list leads to: who is looking for something searches and filters


class CappedPaginator(_Paginator):
    """Counts no further than MOST, so that a list is as fast with a million rows as with a thousand."""

    @cached_property
    def count(self) -> int:
        return min(self._seen, MOST)

    @property
    def is_capped(self) -> bool:
        """Whether there are more rows than the list leads to."""
        return self._seen > MOST

    @cached_property
    def _seen(self) -> int:
        rows: QuerySet[Any] = self.object_list  # type: ignore[assignment]  # as the admin gives it
        return rows.order_by().values("pk")[: MOST + 1].count()


class _NoChanges:
    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class ReadOnlyAdmin(_NoChanges, _ModelAdmin):
    """Shows ``fields`` and nothing else: each subclass names them, so that a new column doesn't appear by itself.

    ``unread`` are columns that are never loaded, "other__column" those of another row that ``list_select_related``
    brings along: what is sealed, and what mail says.
    """

    nothing = ""  # what is said where there is none
    paginator = CappedPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    ordering: ClassVar[tuple[str, ...]] = ("-pk",)
    unread: tuple[str, ...] = ()

    class Media:
        css = {"all": ("mailaccounts/admin.css",)}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        related = self.list_select_related
        rows: QuerySet[Any] = super().get_queryset(request)
        if isinstance(related, tuple):
            rows = rows.select_related(*related)
        return rows.defer(*self.unread) if self.unread else rows

    def called(self, row: Any) -> str:
        """What a page about one of them is headed."""
        return str(row)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        row = self.get_object(request, object_id) if self.has_view_permission(request) else None
        subtitle = {"subtitle": self.called(row)} if row else {}
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), **subtitle})

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Rows aren't asked for by what isn't shown: whether there are any would tell what it says."""
        try:
            column = self.opts.get_field(lookup.partition("__")[0])
        except FieldDoesNotExist:  # the name of a filter, which narrows by itself
            return super().lookup_allowed(lookup, value, request)
        shown = {*flatten_fieldsets(self.get_fieldsets(request)), *self.list_display}
        return (column.name in shown or column is self.opts.pk) and super().lookup_allowed(lookup, value, request)


class ReadOnlyInline(_NoChanges, _TabularInline):
    """Whoever may see a row may see what belongs to it."""

    template = "admin/mailaccounts/inline.html"
    extra = 0
    can_delete = False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm(f"{self.opts.app_label}.view_{self.parent_model._meta.model_name}")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return tuple(map(str, self.fields or ()))  # or Django builds a form, which columns that can't be edited spoil
