"""An admin to look at things with. What changes them goes through services, which prove it first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin

if TYPE_CHECKING:
    from django.db import models
    from django.http import HttpRequest

    _ModelAdmin = admin.ModelAdmin[models.Model]
    _TabularInline = admin.TabularInline[models.Model, models.Model]
else:
    _ModelAdmin, _TabularInline = admin.ModelAdmin, admin.TabularInline


class _NoChanges:
    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class ReadOnlyAdmin(_NoChanges, _ModelAdmin):
    """Shows ``fields`` and nothing else: each subclass names them, so that a new column doesn't appear by itself."""


class ReadOnlyInline(_NoChanges, _TabularInline):
    extra = 0
    can_delete = False

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return tuple(map(str, self.fields or ()))  # or Django builds a form, which columns that can't be edited spoil
