"""The providers' URLs, the mail servers' question, and the control API."""

from django.urls import include, path

from mailaccounts.testing.sandbox.idp import admin_consent, control, endpoints, pages

entra = [
    path("v2.0/.well-known/openid-configuration", endpoints.Discovery.as_view(), name="discovery"),
    path("discovery/v2.0/keys", endpoints.Keys.as_view(), name="keys"),
    path("oauth2/v2.0/authorize", pages.Authorize.as_view(), name="authorize"),
    path("oauth2/v2.0/token", endpoints.Token.as_view(), name="token"),
    path("oauth2/v2.0/revoke", endpoints.Revoke.as_view(), name="revoke"),
    path("v2.0/adminconsent", admin_consent.AdminConsent.as_view(), name="adminconsent"),
    path("oidc/userinfo", endpoints.UserInfo.as_view(), name="userinfo"),
    path("oauth2/v2.0/logout", pages.SignOut.as_view(), name="logout"),
    path("login", pages.SignIn.as_view(), name="signin"),
]
google = [
    path(".well-known/openid-configuration", endpoints.Discovery.as_view(), name="discovery"),
    path("oauth2/v3/certs", endpoints.Keys.as_view(), name="keys"),
    path("o/oauth2/v2/auth", pages.Authorize.as_view(), name="authorize"),
    path("token", endpoints.Token.as_view(), name="token"),
    path("revoke", endpoints.GoogleRevoke.as_view(), name="revoke"),
    path("v1/userinfo", endpoints.UserInfo.as_view(), name="userinfo"),
    path("signin/oauth/error", pages.Problem.as_view(), name="problem"),
    path("logout", pages.SignOut.as_view(), name="logout"),
    path("signin", pages.SignIn.as_view(), name="signin"),
]
generic = [
    path(".well-known/openid-configuration", endpoints.Discovery.as_view(), name="discovery"),
    path("jwks", endpoints.Keys.as_view(), name="keys"),
    path("authorize", pages.Authorize.as_view(), name="authorize"),
    path("token", endpoints.Token.as_view(), name="token"),
    path("revoke", endpoints.Revoke.as_view(), name="revoke"),
    path("userinfo", endpoints.UserInfo.as_view(), name="userinfo"),
    path("logout", pages.SignOut.as_view(), name="logout"),
    path("signin", pages.SignIn.as_view(), name="signin"),
]

urlpatterns = [
    path("control/<str:action>", control.control, name="control"),
    path("introspect/<str:protocol>", endpoints.Introspect.as_view(), name="introspect"),
    # Not for use: django-oauth-toolkit looks its own names up while it issues ID tokens.
    path("toolkit/", include("oauth2_provider.urls", namespace="oauth2_provider")),
    path("google/", include((google, "google"))),
    path("oidc/", include((generic, "oidc"))),
    path("<str:tenant>/", include((entra, "microsoft"))),
]
