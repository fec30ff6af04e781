"""Addresses below /accounts/. allauth takes those of its providers from here too: the names are allauth's."""

from allauth.account import views as allauth_views
from allauth.decorators import rate_limit
from django.urls import path
from django.views.generic import RedirectView

from crm.sign_in import views
from crm.sign_in.again import careful

urlpatterns = [
    path("2fa/", RedirectView.as_view(pattern_name="security"), name="mfa_index"),
    path("password/set/", careful(allauth_views.password_set), name="account_set_password"),
    path("oidc/<slug:provider_id>/login/", rate_limit(action="login")(views.leave), name="openid_connect_login"),
    path("oidc/<slug:provider_id>/login/callback/", views.come_back, name="openid_connect_callback"),
    path("reauthenticate/identity/", views.confirm_with_identity, name="confirm_with_identity"),
    path("mailbox/decline/", views.decline_mailbox, name="decline_mailbox"),
]
