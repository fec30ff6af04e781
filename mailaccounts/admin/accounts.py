"""Mail accounts: how they are doing, and what can be done about it without looking at anybody's mail."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import Prefetch
from django.urls import path
from django.utils import timezone
from django.utils.html import format_html
from django.utils.timesince import timesince, timeuntil

from mailaccounts.admin import account_probe, dashboard, off_boarding, off_boarding_receipts
from mailaccounts.admin.account_actions import AccountActions
from mailaccounts.admin.account_filters import Course, Helps, Provider, SignsInWith, State
from mailaccounts.admin.account_states import STATES
from mailaccounts.admin.filters import when
from mailaccounts.admin.readonly import USERNAME, ReadOnlyAdmin, ReadOnlyInline
from mailaccounts.backends.registry import backends
from mailaccounts.models import NEEDS_SOMEBODY, Credential, CredentialState, Folder, MailAccount
from mailaccounts.selectors import is_deactivated
from mailaccounts.services.connecting.detect import provider_of

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest

SEALED = (
    "secret",
    "grant__state",
    "grant__access_token",
    "grant__client__client_secret",
    "grant__client__next_secret",
)
NOTHING = "-"
MINUTE = timedelta(minutes=1)
WORDS = dict(STATES)


class CredentialInline(ReadOnlyInline):
    model = Credential
    fields = ("kind", "username", "state", "created_at", "proven_at", "retired_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).defer("secret")

    @admin.display(description="Signs in with")
    def kind(self, credential: Credential) -> str:
        return _label(credential.backend)


class FolderInline(ReadOnlyInline):
    """Roles and figures; names of folders are the owner's."""

    model = Folder
    fields = ("role", "examined", "last_uid", "synced_at", "missing_since")


@admin.register(MailAccount)
class MailAccountAdmin(AccountActions, ReadOnlyAdmin):
    nothing = "No mailbox is connected yet. Users connect theirs in Settings → Email accounts."
    list_display = ("mailbox", "state", "synced", "last_message", "sign_in")
    actions = ("sync_now", "pause", "resume", "probe", "ask_owner", "migrate", "off_board")
    list_filter = (State, Course, Helps, SignsInWith, Provider, ("created_at", when("when it was connected")))
    list_select_related = ("owner",)
    list_per_page = 50
    search_fields = ("address", f"owner__{USERNAME}", "imap_host")
    inlines = (CredentialInline, FolderInline)
    fieldsets = (
        (None, {"fields": ("owner", "address", "created_at", "since")}),
        ("Servers", {"fields": ("reads_from", "sends_through")}),
        (
            "State",
            {
                "fields": (
                    *("state", "status_message", "paused_at", "clean_syncs"),
                    *("last_mail_at", "last_sync_at", "next_sync_at", "lease_until", "watcher"),
                )
            },
        ),
        ("Server and store", {"fields": ("compared",)}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        active = Credential.objects.filter(state=CredentialState.ACTIVE).select_related("grant__client").defer(*SEALED)
        rows = super().get_queryset(request)
        return rows.prefetch_related(Prefetch("credentials", active, to_attr="in_use"))

    def get_urls(self) -> list[Any]:
        probe = self.admin_site.admin_view(lambda request, pk: account_probe.page(self, request, pk))
        figures = self.admin_site.admin_view(lambda request: dashboard.page(self, request))
        leaving = self.admin_site.admin_view(lambda request: off_boarding.page(self, request))
        receipts = self.admin_site.admin_view(lambda request: off_boarding_receipts.page(self, request))
        receipt = self.admin_site.admin_view(lambda request: off_boarding_receipts.as_json(self, request))
        return [
            path("off-board/", leaving, name="mailaccounts_mailaccount_off_board"),
            path("off-board/receipts/", receipts, name="mailaccounts_mailaccount_receipts"),
            path("off-board/receipt.json", receipt, name="mailaccounts_mailaccount_receipt"),
            path("dashboard/", figures, name="mailaccounts_mailaccount_dashboard"),
            path("<int:pk>/probe/", probe, name="mailaccounts_mailaccount_probe"),
            *super().get_urls(),
        ]

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        account = kwargs.get("obj")
        return super().render_change_form(
            request, context | {"departed": account and is_deactivated(account.owner)}, *args, **kwargs
        )

    # --- columns -------------------------------------------------------------------------------------------

    @admin.display(description="Mailbox", ordering="address")
    def mailbox(self, account: MailAccount) -> str:
        return _over(account.address, f"{account.owner.get_username()}, connected {_ago(account.created_at)}")

    @admin.display(description="Reads from")
    def reads_from(self, account: MailAccount) -> str:
        return _server(account.imap_host, account.imap_port, account.imap_security)

    @admin.display(description="Sends through")
    def sends_through(self, account: MailAccount) -> str:
        return _server(account.smtp_host, account.smtp_port, account.smtp_security)

    @admin.display(description="Compared")
    def compared(self, account: MailAccount) -> str:
        if account.compared_at is None:
            return "Not yet"
        missing, doubled = account.compared_missing, account.compared_doubled
        return f"{_ago(account.compared_at)}: {missing} missing, {doubled} stored twice"

    @admin.display(description="State", ordering="status")
    def state(self, account: MailAccount) -> str:
        if account.paused_at:
            looks, words = "state-warn", "Paused"
        else:
            looks = "state-bad" if account.status in NEEDS_SOMEBODY else ""
            words = WORDS.get(account.status, account.status)
        return _over(format_html('<span class="{}">{}</span>', looks, words), _trouble(account))

    @admin.display(description="Sign-in", ordering="imap_host")
    def sign_in(self, account: Any) -> str:
        """The kind of credential, and the registration where it is a consent, over the provider."""
        preset = provider_of(account)
        how = next((_way(credential) for credential in account.in_use), NOTHING)
        return _over(how, preset.label if preset else account.imap_host)

    @admin.display(description="Last mail", ordering="last_mail_at")
    def last_message(self, account: MailAccount) -> str:
        return _ago(account.last_mail_at)

    @admin.display(description="Last sync", ordering="last_sync_at")
    def synced(self, account: MailAccount) -> str:
        return _over(_ago(account.last_sync_at), _next_sync(account))


def _over(first: str, second: str) -> str:
    """Two things in one cell; the second is left out where there is none."""
    return format_html('{}<br><span class="quiet">{}</span>', first, second) if second else first


def _next_sync(account: MailAccount) -> str:
    now = timezone.now()
    if account.lease_until and account.lease_until > now:
        return "running now"
    if account.paused_at or account.next_sync_at is None:
        return ""
    if account.next_sync_at <= now:
        return f"due, {_ago(account.next_sync_at)}"
    return f"next in {timeuntil(account.next_sync_at, now, depth=1)}"


def _trouble(account: MailAccount) -> str:
    if not account.status_code:
        return ""
    return f"{account.status_code}, {account.failures} in a row" if account.failures > 1 else account.status_code


def _way(credential: Credential) -> str:
    return f"{credential.grant.client.name} (OAuth)" if credential.grant else _label(credential.backend)


def _label(slug: str) -> str:
    backend = backends().get(slug)
    return str(backend.label) if backend else slug


def _server(host: str, port: int, security: str) -> str:
    return f"{host}, port {port}, {security.upper()}" if host else NOTHING


def _ago(moment: Any) -> str:
    if moment is None:
        return NOTHING
    return "just now" if timezone.now() - moment < MINUTE else f"{timesince(moment, depth=1)} ago"
