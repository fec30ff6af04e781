"""The pages of Settings → Email accounts and the OAuth callbacks; include at the site's root."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path

from mailaccounts.views import (
    accounts,
    attached,
    begin,
    body,
    campaigns,
    connect,
    depth,
    disconnect,
    erasing,
    go,
    invitation,
    keeping,
    ledger,
    marking,
    migrate,
    oauth,
    opened,
    outbox,
    privacy,
    probe,
    probes,
    quarantine,
    servers,
    tenants,
    thread,
    writer,
    writing,
)

app_name = "mailaccounts"

of_administrators: list[URLPattern | URLResolver] = [
    path("", campaigns.campaigns, name="campaigns"),
    path("new/", campaigns.new, name="new_campaign"),
    path("<uuid:run>/", campaigns.board, name="campaign"),
    path("<uuid:run>/csv/", campaigns.export, name="campaign_csv"),
]

pages: list[URLPattern | URLResolver] = [
    path("", accounts.accounts, name="accounts"),
    path("connect/", connect.connect, name="connect"),
    path("campaigns/", include(of_administrators)),
    path("invitation/<str:token>/", invitation.invitation, name="invitation"),
    path("go/<str:token>/", go.go, name="go"),
    path("result/", oauth.result, name="result"),
    path("<int:pk>/", accounts.account, name="account"),
    path("<int:pk>/begin/", begin.begin, name="begin"),
    path("<int:pk>/sync/", accounts.sync_now, name="sync_now"),
    path("<int:pk>/set-aside/", quarantine.quarantine, name="quarantine"),
    path("<int:pk>/privacy/", privacy.privacy, name="privacy"),
    path("<int:pk>/privacy/blocked/<int:blocked>/", privacy.blocked, name="blocked"),
    path("<int:pk>/ledger/", ledger.ledger, name="ledger"),
    path("<int:pk>/older-mail/", depth.older_mail, name="older_mail"),
    path("<int:pk>/keeping/", keeping.keeping, name="keeping"),
    path("<int:pk>/probe/", probe.probe, name="probe"),
    path("<int:pk>/switch/", migrate.switch, name="switch"),
    path("<int:pk>/switch/go-on/", migrate.go_on, name="switch_go_on"),
    path("<int:pk>/switch/cancel/", migrate.cancel, name="switch_cancel"),
    path("<int:pk>/go-back/", migrate.go_back, name="go_back"),
    path("<int:pk>/certificate/", migrate.certificate, name="certificate"),
    path("<int:pk>/certificate/json/", migrate.certificate_json, name="certificate_json"),
    path("<int:pk>/allow-sending/", oauth.allow_sending, name="allow_sending"),
    path("<int:pk>/writing/", writer.writer, name="writer"),
    path("<int:pk>/aliases/", writer.add_alias, name="add_alias"),
    path("<int:pk>/aliases/<int:alias>/remove/", writer.remove_alias, name="remove_alias"),
    path("aliases/<str:token>/", writer.prove_alias, name="prove_alias"),
    path("<int:pk>/reconnect/", connect.reconnect, name="reconnect"),
    path("<int:pk>/servers/", servers.servers, name="servers"),
    path("<int:pk>/disconnect/", disconnect.disconnect, name="disconnect"),
    path("receipts/", disconnect.receipts, name="receipts"),
    path("receipts/<uuid:pk>/", disconnect.receipt, name="receipt"),
    path("receipts/<uuid:pk>/json/", disconnect.receipt_json, name="receipt_json"),
]

mail: list[URLPattern | URLResolver] = [
    path("message/<int:pk>/show/", privacy.show_message, name="show_message"),
    path("<int:pk>/", thread.thread, name="thread"),
    path("<int:pk>/mark/", marking.mark, name="mark"),
    path("message/<int:pk>/body/", body.body, name="body"),
    path("attachment/<int:pk>/", attached.attachment, name="attachment"),
    path("image/<str:signed>/", attached.picture, name="picture"),
    path("opened/<int:pk>/", opened.opened, name="opened"),
    path("opened/<int:pk>/open/", opened.open_mail, name="open_mail"),
    path("opened/<int:pk>/end/", opened.close_mail, name="close_mail"),
    path("erasing/<int:pk>/", erasing.erasing, name="erasing"),
    path("new/", writing.compose, name="compose"),
    path("message/<int:pk>/reply/", writing.reply, name="reply"),
    path("message/<int:pk>/reply-all/", writing.reply_all, name="reply_all"),
    path("message/<int:pk>/forward/", writing.forward, name="forward"),
    path("drafts/", outbox.drafts, name="drafts"),
    path("drafts/<int:pk>/", writing.draft, name="draft"),
    path("outbox/", outbox.outbox, name="outbox"),
    path("outbox/<int:pk>/", outbox.outgoing, name="outgoing"),
]

urlpatterns = [
    path("healthz", probes.healthz, name="healthz"),
    path("readyz", probes.readyz, name="readyz"),
    path("metrics", probes.metrics, name="metrics"),
    path("settings/email-accounts/", include(pages)),
    path("mail/", include(mail)),
    # One callback per provider: answers can't be mixed up between them (RFC 9700 §4.4).
    path("oauth/<slug:provider>/callback/", oauth.callback, name="callback"),
    path("oauth/<slug:provider>/admin-consent/", tenants.answered, name="admin_consent"),
    path("oauth/admin-consent/", tenants.begin, name="begin_admin_consent"),
]
