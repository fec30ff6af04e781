"""The audit trail, to look at and to take along: what was done with accounts, by whom, when. No content of mail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseNotAllowed, HttpResponseRedirect, StreamingHttpResponse
from django.urls import path, reverse

from mailaccounts.admin.filters import titled, when
from mailaccounts.admin.readonly import USERNAME, ReadOnlyAdmin
from mailaccounts.models import AuditEntry
from mailaccounts.services.trail import audit_export, signatures

if TYPE_CHECKING:
    from django.http.response import HttpResponseBase

FORMS = {
    "csv": ("text/csv; charset=utf-8", audit_export.as_csv),
    "json": ("application/x-ndjson", audit_export.as_json),
}


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    nothing = "Nothing was done with an account yet."
    list_display = ("at", "action", "address", "actor", "owner")
    list_filter = (("action", titled("what was done", admin.ChoicesFieldListFilter)), ("at", when("when it happened")))
    list_select_related = ("actor", "owner")
    list_display_links = ("at",)
    ordering = ("-at", "-pk")
    search_fields = ("address", f"actor__{USERNAME}")
    fields = ("at", "action", "actor", "owner", "account", "address", "facts", "signed")

    def called(self, row: AuditEntry) -> str:
        return f"{row.get_action_display()}: {row.address}" if row.address else str(row.get_action_display())

    @admin.display(description="Signature")
    def signed(self, entry: AuditEntry) -> str:
        signature, verdict = signatures.check(entry)
        return f"{verdict}, by key {signature.key.key_id}" if signature else verdict

    def get_urls(self) -> list[Any]:
        export = self.admin_site.admin_view(self.export)
        return [path("export/", export, name="mailaccounts_auditentry_export"), *super().get_urls()]

    def export(self, request: HttpRequest) -> HttpResponseBase:
        """POST: the entries that the list with these filters leads to, all of them, as ``form`` "csv" or "json"."""
        if not (self.has_view_permission(request) and request.user.has_perm("mailaccounts.export_auditentry")):
            raise PermissionDenied
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        form = "json" if request.POST.get("form") == "json" else "csv"
        content_type, write = FORMS[form]
        try:
            listed = self.get_changelist_instance(request).get_queryset(request)
        except IncorrectLookupParameters:  # the list says so
            return HttpResponseRedirect(f"{reverse('admin:mailaccounts_auditentry_changelist')}?e=1")
        audit_export.note(actor=request.user, form=form)
        response = StreamingHttpResponse(write(audit_export.lines(listed)), content_type=content_type)
        response["Content-Disposition"] = f'attachment; filename="audit-trail.{form}"'
        return response
