"""Keeps django-q2's admin for superusers: it shows what tasks were given, and a schedule runs any function by path.

Permissions that staff was given for it don't count.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.contrib import admin

if TYPE_CHECKING:
    from django.http import HttpRequest

    _ModelAdmin = admin.ModelAdmin[Any]
else:
    _ModelAdmin = object

APP = "django_q"


class SuperusersOnly(_ModelAdmin):
    """Goes before a ModelAdmin: every permission takes a superuser."""

    def has_module_permission(self, request: HttpRequest) -> bool:
        return _is_superuser(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return _is_superuser(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return _is_superuser(request) and super().has_add_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return _is_superuser(request) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return _is_superuser(request)


def restrict(site: admin.AdminSite) -> None:
    """Registers django-q2's models again, for superusers; loads its admin first, so that the order doesn't matter."""
    import_module(f"{APP}.admin")
    for model in apps.get_app_config(APP).get_models():
        if site.is_registered(model):
            original = type(site.get_model_admin(model))
            site.unregister(model)
            site.register(model, type(original.__name__, (SuperusersOnly, original), {}))


def _is_superuser(request: HttpRequest) -> bool:
    return bool(request.user.is_active and request.user.is_superuser)


if apps.is_installed(APP):
    restrict(admin.site)
