"""The means of signing in, in Django's admin: to look at and to take away, for whoever lost their phone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialToken
from django.contrib import admin

if TYPE_CHECKING:
    from django.http import HttpRequest


class MeansAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # of models that have no types
    """Shows ``fields`` and nothing else: what makes a means work is not among them."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


# Registrations are the settings', and tokens aren't kept.
admin.site.unregister([Authenticator, SocialAccount, SocialApp, SocialToken])


@admin.register(Authenticator)
class AuthenticatorAdmin(MeansAdmin):
    fields = ("user", "type", "created_at", "last_used_at")
    list_display = fields
    list_filter = ("type",)
    search_fields = ("user__username", "user__email")


@admin.register(SocialAccount)
class IdentityAdmin(MeansAdmin):
    fields = ("user", "provider", "address", "date_joined", "last_login")
    readonly_fields = ("address",)
    list_display = fields
    list_filter = ("provider",)
    search_fields = ("user__username", "user__email")

    @admin.display(description="address")
    def address(self, identity: SocialAccount) -> str:
        """What the identity's owner calls it."""
        return str(identity.extra_data.get("address", ""))
