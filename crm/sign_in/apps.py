"""The app: allauth finds the identity providers in it."""

from django.apps import AppConfig


class SignInConfig(AppConfig):
    name = "crm.sign_in"
    verbose_name = "Signing in"

    def ready(self) -> None:
        from crm.sign_in import receivers  # noqa: F401 - connects the receivers
