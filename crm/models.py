"""Companies, contacts and their timelines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import models
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    _EmailField = models.EmailField[Any, Any]
else:
    _EmailField = models.EmailField


class AddressField(_EmailField):
    """An e-mail address in lower case, in the database as in every query: one index finds it however it was typed."""

    def to_python(self, value: Any) -> Any:
        value = super().to_python(value)
        return value.strip().lower() if isinstance(value, str) else value

    def get_prep_value(self, value: Any) -> Any:
        return self.to_python(super().get_prep_value(value))


class Company(models.Model):
    name = models.CharField(max_length=200, unique=True)

    class Meta:
        verbose_name = _("company")
        verbose_name_plural = _("companies")

    def __str__(self) -> str:
        return self.name


class Contact(models.Model):
    """Somebody whose mail belongs in the CRM."""

    name = models.CharField(max_length=200)
    email = AddressField(
        max_length=254, unique=True, error_messages={"unique": _("There is a contact with this address already.")}
    )
    company = models.ForeignKey(Company, models.SET_NULL, null=True, blank=True, related_name="contacts")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("contact")
        verbose_name_plural = _("contacts")
        ordering = ("name", "pk")

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("contact", args=[self.pk])


class TimelineEntry(models.Model):
    """A message on a contact's timeline; the same mail through two accounts has one ``fingerprint`` and shows once."""

    contact = models.ForeignKey(Contact, models.CASCADE, related_name="timeline")
    message = models.ForeignKey("mailaccounts.Message", models.CASCADE, related_name="+")
    fingerprint = models.CharField(max_length=64)
    occurred_at = models.DateTimeField()

    class Meta:
        verbose_name = _("timeline entry")
        verbose_name_plural = _("timeline entries")
        constraints = [models.UniqueConstraint("contact", "message", name="timeline_message_once")]
        indexes = [models.Index(fields=["contact", "-occurred_at"], name="timeline_newest_first")]

    def __str__(self) -> str:
        return f"{self.contact_id} {self.occurred_at:%Y-%m-%d}"
