"""App registrations: entered here unless the settings name them, verified step by step, never with a secret shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponseRedirect
from django.urls import path, reverse
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.utils.text import capfirst
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from mailaccounts.admin import pages
from mailaccounts.admin.client_form import ClientForm
from mailaccounts.admin.client_guide import guide_to, guides, redirects_of
from mailaccounts.admin.client_words import shown, told_by_secret
from mailaccounts.errors import MailAccountsError
from mailaccounts.models import OAuthClient
from mailaccounts.services.limits.attempts import count_attempt
from mailaccounts.services.registering import clients, registrations
from mailaccounts.services.registering.secret_expiry import Expiry, expiring
from mailaccounts.services.registering.verify_client import verify

if TYPE_CHECKING:
    from uuid import UUID

    from django.http import HttpRequest, HttpResponse

    _ModelAdmin = admin.ModelAdmin[OAuthClient]
else:
    _ModelAdmin = admin.ModelAdmin

TYPED_SECRETS = ("secret", "new_secret")
IDENTITY = (None, {"fields": ("name", "provider", "tenant", "authority", "client_id")})
SECRETS = ("Secret", {"fields": ("proof", "secret", "secret_expires_on", "new_secret", "next_secret_expires_on")})
USE = ("Use", {"fields": ("scopes", "is_active", "app_only")})
STATE = ("State", {"fields": ("ends", "verified_at", "created_at")})


@admin.register(OAuthClient)
class OAuthClientAdmin(_ModelAdmin):
    form = ClientForm
    list_display = ("name", "state", "ends", "speaks_to", "tenant", "in_use")
    readonly_fields = ("ends", "verified_at", "created_at")
    actions = None

    class Media:
        css = {"all": ("mailaccounts/admin.css",)}
        js = ("mailaccounts/admin.js", "mailaccounts/mailaccounts.js")

    # --- who may do what -----------------------------------------------------------------------------------

    def has_change_permission(self, request: HttpRequest, obj: OAuthClient | None = None) -> bool:
        """What the settings name is changed there."""
        return super().has_change_permission(request, obj) and not (obj and clients.is_named(obj))

    def has_delete_permission(self, request: HttpRequest, obj: OAuthClient | None = None) -> bool:
        return super().has_delete_permission(request, obj) and not (obj and clients.is_named(obj))

    def may_verify(self, request: HttpRequest) -> bool:
        """Also what the settings name."""
        return self.has_change_permission(request)

    # --- the pages -----------------------------------------------------------------------------------------

    def get_fieldsets(self, request: HttpRequest, obj: OAuthClient | None = None) -> Any:
        """Who may only look sees no fields for secrets."""
        if obj is None:
            return (IDENTITY, SECRETS, USE)
        if self.has_change_permission(request, obj):
            return (IDENTITY, SECRETS, USE, STATE)
        shown = ("Secret", {"fields": ("proof", "secret_expires_on", "next_secret_expires_on")})
        return (IDENTITY, shown, USE, STATE)

    @method_decorator(sensitive_post_parameters(*TYPED_SECRETS))
    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        context = {**(extra_context or {}), "may_verify": self.may_verify(request), "guides": guides(request)}
        return super().changeform_view(request, object_id, form_url, context)

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: OAuthClient | None = None,
    ) -> Any:
        if obj is not None:
            context |= self._about(request, obj)
        return super().render_change_form(request, context, add, change, form_url, obj)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        clients.remember_named()
        return super().changelist_view(request, {**(extra_context or {}), "expiring": expiring()})

    def save_model(self, request: HttpRequest, obj: OAuthClient, form: Any, change: bool) -> None:
        """Writes what was changed: a worker may have promoted the next secret or raised an alarm meanwhile."""
        obj.save(update_fields=form.changed_columns if change else None)

    def _about(self, request: HttpRequest, client: OAuthClient) -> dict[str, Any]:
        named = clients.is_named(client)
        return {
            "client": client,
            "named": named,
            "alarm": registrations.alarm_of(client),
            "expiry": Expiry.of(client),
            "organisations": client.tenants.order_by("tenant") if client.app_only else None,
            "guide": guide_to(client, request=request, told=told_by_secret(client)),
        }

    # --- what is done with a registration --------------------------------------------------------------------

    def get_urls(self) -> list[Any]:
        at = "<uuid:pk>/{}/"
        return [
            path(at.format(name), self.admin_site.admin_view(view), name=f"mailaccounts_oauthclient_{name}")
            for name, view in (("verify", self.verify_view), ("promote", self.promote_view))
        ] + super().get_urls()

    @method_decorator(require_POST)
    def verify_view(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """Tries what is saved, and shows what came of each step."""
        client = self._client(request, pk)
        if not self.may_verify(request):
            raise PermissionDenied
        mailbox = request.POST.get("mailbox", "").strip()
        try:
            count_attempt(user_id=request.user.pk or 0, host=client.authority)
        except MailAccountsError as error:
            return self._back(request, client, error.message, level=messages.ERROR)
        steps = verify(client, redirect_uris=redirects_of(client, request).values(), mailbox=mailbox)
        works = not any(step.error for step in steps)
        self.log_change(request, client, "Verified: it works." if works else "Verified: it doesn't work.")
        return pages.render(
            self,
            request,
            "oauthclient/verified",
            title="Verification",
            subtitle=client.name,
            original=client,
            mailbox=mailbox,
            steps=[shown(step) for step in steps],
            works=works,
        )

    @method_decorator(require_POST)
    def promote_view(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """Lets the next secret take over without waiting for a refusal."""
        client = self._client(request, pk)
        if not self.has_change_permission(request, client):
            raise PermissionDenied
        if not registrations.promote(client):
            return self._back(request, client, "There was no next secret any more.", level=messages.WARNING)
        self.log_change(request, client, "The next secret took over.")
        return self._back(request, client, "The next secret took over; the one before is destroyed.")

    def _client(self, request: HttpRequest, pk: UUID) -> OAuthClient:
        client = self.get_object(request, str(pk))
        if client is None:
            raise Http404
        return client

    def _back(
        self, request: HttpRequest, client: OAuthClient, words: str, *, level: int = messages.SUCCESS
    ) -> HttpResponse:
        self.message_user(request, words, level)
        return HttpResponseRedirect(reverse("admin:mailaccounts_oauthclient_change", args=[client.pk]))

    # --- columns -------------------------------------------------------------------------------------------

    @admin.display(description="State")
    def state(self, client: OAuthClient) -> str:
        alarm = registrations.alarm_of(client)
        if alarm:
            return format_html('<span class="state-bad">{}</span>', alarm.diagnosis)
        return "Works" if client.verified_at else "Not verified"

    @admin.display(description="Provider")
    def speaks_to(self, client: OAuthClient) -> str:
        return clients.label(client.provider)

    @admin.display(description="In use", boolean=True, ordering="is_active")
    def in_use(self, client: OAuthClient) -> bool:
        return client.is_active

    @admin.display(description="Secret ends", ordering="secret_expires_on")
    def ends(self, client: OAuthClient) -> str:
        expiry = Expiry.of(client)
        if expiry is None:
            return "Not known"
        if not expiry.is_near:
            return expiry.on.isoformat()
        return format_html(
            '<span class="{}">{}</span>', "state-bad" if expiry.is_over else "state-warn", capfirst(str(expiry))
        )
