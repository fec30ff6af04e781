"""The app: listens to mailaccounts once Django is ready."""

from django.apps import AppConfig


class CrmConfig(AppConfig):
    name = "crm"
    verbose_name = "CRM"

    def ready(self) -> None:
        from crm import receivers  # noqa: F401 - connects the receivers
