"""Organisations: let in by their administrators, kept in check by a canary, and their mailboxes moved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponseRedirect
from django.urls import path, reverse
from django.utils.html import format_html

from mailaccounts.admin import pages
from mailaccounts.admin.readonly import CappedPaginator
from mailaccounts.admin.tenant_words import Candidate, missing_lines, permissions_of, way_in
from mailaccounts.errors import MailAccountsError
from mailaccounts.hooks import hooks
from mailaccounts.models import OAuthClient, TenantAccess
from mailaccounts.services.consents import admin_consent
from mailaccounts.services.organisations import canary, members, tenants
from mailaccounts.services.registering import registrations

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from django.http import HttpRequest, HttpResponse

    _ModelAdmin = admin.ModelAdmin[TenantAccess]
else:
    _ModelAdmin = admin.ModelAdmin


@admin.register(TenantAccess)
class TenantAccessAdmin(_ModelAdmin):
    list_display = ("tenant", "client", "state", "canary", "canary_checked_at", "accounts")
    list_select_related = ("client",)
    nothing = "No organisation has let this installation in yet."
    paginator = CappedPaginator
    show_full_result_count = False
    actions = None

    class Media:
        css = {"all": ("mailaccounts/admin.css",)}
        js = ("mailaccounts/admin.js", "mailaccounts/mailaccounts.js")

    def has_delete_permission(self, request: HttpRequest, obj: TenantAccess | None = None) -> bool:
        """It is switched off instead, so that its history stays."""
        return False

    def get_queryset(self, request: HttpRequest) -> Any:
        return members.with_number_of_accounts(super().get_queryset(request))

    # --- letting one in ------------------------------------------------------------------------------------

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None) -> Any:
        """By which registration, and how its provider wants to be told."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        asked_again = hooks().reauthenticate(request)
        if asked_again:
            return asked_again
        if request.method == "POST":
            client = pages.found(OAuthClient.objects.all(), request.POST.get("client", ""))
            try:
                return self._let_in(request, client)
            except MailAccountsError as error:
                self._say(request, error)
        return pages.render(
            self, request, "tenantaccess/let_in", title="Let an organisation in", candidates=Candidate.all(request)
        )

    def _let_in(self, request: HttpRequest, client: OAuthClient) -> HttpResponse:
        """Allows it for a registration, or tries what a Workspace's administrator has delegated to it."""
        if "allow" in request.POST:
            if not request.user.has_perm("mailaccounts.change_oauthclient"):
                raise PermissionDenied
            registrations.allow_app_only(client)
            return HttpResponseRedirect(request.path)
        access = admin_consent.delegated(client, mailbox=request.POST.get("mailbox", ""), user=request.user)
        self.message_user(request, f"{access.tenant} lets this installation in.", messages.SUCCESS)
        return self._to(access)

    # --- one of them ---------------------------------------------------------------------------------------

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        access = self._access(request, object_id)
        trouble, refused = tenants.trouble(access), members.refused(access)
        return pages.render(
            self,
            request,
            "tenantaccess/organisation",
            title="Organisation",
            subtitle=access.tenant,
            access=access,
            trouble=trouble,
            permissions=permissions_of(access),
            refused=refused,
            missing_lines=missing_lines(access, refused),
            way_in=way_in(access.client, request),
            accounts=members.accounts_of(access).count(),
            runs=members.runs_of(access),
            may_move=request.user.has_perm("mailaccounts.change_migrationrun"),
            may_change=self.has_change_permission(request, access),
        )

    def get_urls(self) -> list[Any]:
        work = {"canary": self._canary, "check": self._check, "off": self._off}
        return [
            path(f"<uuid:pk>/{name}/", self._doing(each), name=f"mailaccounts_tenantaccess_{name}")
            for name, each in work.items()
        ] + super().get_urls()

    def _doing(self, work: Callable[[HttpRequest, TenantAccess], str]) -> Any:
        """A view that does something with an organisation when POSTed, says what came of it, and goes back."""

        def view(request: HttpRequest, pk: UUID) -> HttpResponse:
            access = self._access(request, str(pk))
            if not self.has_change_permission(request, access):
                raise PermissionDenied
            asked_again = hooks().reauthenticate(request)
            if asked_again:
                return asked_again
            if request.method == "POST":
                try:
                    self.message_user(request, work(request, access), messages.SUCCESS)
                except MailAccountsError as error:
                    self._say(request, error)
            return self._to(access)

        return self.admin_site.admin_view(view)

    def _canary(self, request: HttpRequest, access: TenantAccess) -> str:
        canary.name(access, request.POST.get("mailbox", ""), actor=request.user)
        return self._outcome(access)

    def _check(self, request: HttpRequest, access: TenantAccess) -> str:
        canary.check(access, actor=request.user)
        return self._outcome(access)

    def _off(self, request: HttpRequest, access: TenantAccess) -> str:
        tenants.switch_off_by_hand(access, actor=request.user)
        return "Switched off: none of its mailboxes is opened any more."

    def _outcome(self, access: TenantAccess) -> str:
        """The words for what a check found; raises what it is off for."""
        trouble = tenants.trouble(access)
        if trouble:
            raise trouble
        return f"Access is on: {access.canary} was refused, as it must be."

    # --- what pages have in common -------------------------------------------------------------------------

    def _access(self, request: HttpRequest, pk: str) -> TenantAccess:
        if not self.has_view_permission(request):
            raise PermissionDenied
        access: TenantAccess = pages.found(TenantAccess.objects.select_related("client"), pk)
        return access

    def _to(self, access: TenantAccess) -> HttpResponse:
        return HttpResponseRedirect(reverse("admin:mailaccounts_tenantaccess_change", args=[access.pk]))

    def _say(self, request: HttpRequest, error: MailAccountsError) -> None:
        self.message_user(request, error.message, messages.ERROR, extra_tags=error.code)

    # --- columns -------------------------------------------------------------------------------------------

    @admin.display(description="State", ordering="is_on")
    def state(self, access: TenantAccess) -> str:
        trouble = tenants.trouble(access)
        if trouble is None:
            return "On"
        return format_html('<span class="state-bad">Off: {}</span>', trouble.sentence.format_map(trouble.facts))

    @admin.display(description="Accounts")
    def accounts(self, access: Any) -> int:
        return int(access.number_of_accounts)
