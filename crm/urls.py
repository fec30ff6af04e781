"""The CRM's addresses."""

from allauth.account.decorators import secure_admin_login
from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from crm import barred_views, inbox, inbox_actions, people_views, personal_data_views, views
from crm.sign_in import views as sign_in

# One way in for everybody, second step and limits included.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]  # allauth's own advice

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="contacts"), name="home"),
    path("contacts/", views.contacts, name="contacts"),
    path("contacts/add/", views.edit_contact, name="contact_add"),
    path("contacts/<int:pk>/", views.contact, name="contact"),
    path("contacts/left-behind/", people_views.left_behind, name="left_behind"),
    path("contacts/<int:pk>/remove/", people_views.remove_contact, name="contact_remove"),
    path("contacts/<int:pk>/looking/", people_views.looking_for_contact, name="contact_looking"),
    path("contacts/<int:pk>/edit/", views.edit_contact, name="contact_edit"),
    path("companies/<int:pk>/", views.company, name="company"),
    path("companies/<int:pk>/remove/", people_views.remove_company, name="company_remove"),
    path("companies/<int:pk>/looking/", people_views.looking_for_company, name="company_looking"),
    path("companies/<int:pk>/edit/", views.edit_company, name="company_edit"),
    path("inbox/", inbox.inbox, name="inbox"),
    path("inbox/act/", inbox_actions.act, name="inbox_act"),
    path("inbox/undo/<uuid:done>/", inbox_actions.undo, name="inbox_undo"),
    path("inbox/dismiss/", inbox_actions.dismiss, name="inbox_dismiss"),
    path("admin/", admin.site.urls),
    path("settings/", RedirectView.as_view(pattern_name="mailaccounts:accounts"), name="settings"),
    path("settings/barred/", barred_views.barred, name="barred"),
    path("settings/barred/<int:pk>/lift/", barred_views.lift, name="barred_lift"),
    path("settings/personal-data/", personal_data_views.personal_data_of, name="personal_data"),
    path("settings/personal-data/download/", personal_data_views.download, name="personal_data_download"),
    path("settings/personal-data/erase/", personal_data_views.erase, name="personal_data_erase"),
    path("settings/security/", sign_in.security, name="security"),
    path("accounts/", include("crm.sign_in.urls")),
    path("accounts/", include("allauth.urls")),
    path("", include("mailaccounts.urls")),
]
