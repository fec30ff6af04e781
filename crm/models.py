"""Companies and contacts, what they are known by, and their timelines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import DomainNameValidator
from django.db import models, transaction
from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from crm.folding import fold_address, fold_domain
from crm.public_domains import is_public

if TYPE_CHECKING:
    from collections.abc import Callable

    _CharField = models.CharField[Any, Any]
    _EmailField = models.EmailField[Any, Any]
else:
    _CharField, _EmailField = models.CharField, models.EmailField

LONGEST_ADDRESS = 254  # RFC 5321 §4.5.3.1.3, without its angle brackets
LONGEST_FOLDED = 500  # the same, its domain in ASCII


class AddressField(_EmailField):
    """An e-mail address in lower case, in the database as in every query."""

    def to_python(self, value: Any) -> Any:
        value = super().to_python(value)
        return value.strip().lower() if isinstance(value, str) else value

    def get_prep_value(self, value: Any) -> Any:
        return self.to_python(super().get_prep_value(value))


class FoldedField(_CharField):
    """Another column's text as ``fold`` makes it: whoever writes a row, and however many at once, this follows."""

    def __init__(self, *args: Any, of: str = "", fold: Callable[[str], str] = str, **kwargs: Any) -> None:
        self.of, self.fold = of, fold
        super().__init__(*args, **{"editable": False, "blank": True, **kwargs})

    def pre_save(self, instance: models.Model, add: bool) -> str:
        folded: str = self.fold(getattr(instance, self.of))
        setattr(instance, self.attname, folded)
        return folded


class Company(models.Model):
    name = models.CharField(max_length=200, unique=True)

    class Meta:
        verbose_name = _("company")
        verbose_name_plural = _("companies")

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("company", args=[self.pk])

    def get_looking_url(self) -> str:
        return reverse("company_looking", args=[self.pk])


class CompanyDomain(models.Model):
    """A domain at which everybody belongs to the company, whether a contact has their address or not."""

    company = models.ForeignKey(Company, models.CASCADE, related_name="domains")
    domain = models.CharField(max_length=253, validators=[DomainNameValidator()])
    folded = FoldedField(max_length=LONGEST_FOLDED, unique=True, of="domain", fold=fold_domain)
    late_search = models.ForeignKey(
        "mailaccounts.DirectoryChange", models.SET_NULL, null=True, editable=False, related_name="+"
    )

    class Meta:
        verbose_name = _("domain")
        verbose_name_plural = _("domains")
        ordering = ("domain",)

    def __str__(self) -> str:
        return self.domain

    def clean(self) -> None:
        folded = fold_domain(self.domain)
        if is_public(folded):
            said = f"{self.domain} is a mail provider's, where anybody can have an address: add people as contacts."
            raise ValidationError({"domain": said})
        if CompanyDomain.objects.filter(folded=folded).exclude(pk=self.pk).exists():
            raise ValidationError({"domain": f"{self.domain} is another company's already."})


class Contact(models.Model):
    """Somebody whose mail belongs in the CRM."""

    name = models.CharField(max_length=200)
    company = models.ForeignKey(Company, models.SET_NULL, null=True, blank=True, related_name="contacts")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("contact")
        verbose_name_plural = _("contacts")
        ordering = ("name", "pk")
        indexes = [models.Index(fields=["name", "id"], name="contact_by_name")]
        permissions = [("handle_personal_data", _("Can tell and erase what is stored about a person"))]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("contact", args=[self.pk])

    def get_looking_url(self) -> str:
        return reverse("contact_looking", args=[self.pk])

    @property
    def email(self) -> str:
        """The main address, which one writes to; "" without any. Prefetch ``addresses`` for many contacts."""
        return next((str(each) for each in self.addresses.all()), "")


class ContactAddress(models.Model):
    """An address of a contact's: as it is written to, and as it is recognised. One of them is the main one."""

    contact = models.ForeignKey(Contact, models.CASCADE, related_name="addresses")
    address = AddressField(max_length=LONGEST_ADDRESS)
    folded = FoldedField(max_length=LONGEST_FOLDED, unique=True, of="address", fold=fold_address)
    is_primary = models.BooleanField(_("main address"), default=False)
    late_search = models.ForeignKey(
        "mailaccounts.DirectoryChange", models.SET_NULL, null=True, editable=False, related_name="+"
    )

    class Meta:
        verbose_name = _("address")
        verbose_name_plural = _("addresses")
        ordering = ("-is_primary", "pk")
        constraints = [
            models.UniqueConstraint("contact", condition=Q(is_primary=True), name="contact_one_primary_address")
        ]

    def __str__(self) -> str:
        return str(self.address)

    @transaction.atomic
    def save(self, *args: Any, **kwargs: Any) -> None:
        """The first address is the main one, until another is saved as such."""
        others = self.contact.addresses.exclude(pk=self.pk).filter(is_primary=True)
        if self.is_primary:
            others.update(is_primary=False)
        else:
            self.is_primary = not others.exists()
        super().save(*args, **kwargs)

    def clean(self) -> None:
        if ContactAddress.objects.filter(folded=fold_address(self.address)).exclude(pk=self.pk).exists():
            raise ValidationError({"address": _("There is a contact with this address already.")})


class Barred(models.Model):
    """An address, or ``@domain`` with those below it, that never counts as a contact; folded."""

    pattern = models.CharField(max_length=LONGEST_FOLDED, unique=True)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("barred address or domain")
        verbose_name_plural = _("barred addresses and domains")
        ordering = ("pattern",)

    def __str__(self) -> str:
        return self.pattern.removeprefix("@")


class TimelineEntry(models.Model):
    """A message on the timeline of a contact or, when its people are known by their domain only, of a company.

    The same mail through two accounts has one ``fingerprint`` and shows once. It is ``unseen`` by others when it went
    to them by Bcc only.
    """

    contact = models.ForeignKey(Contact, models.CASCADE, null=True, related_name="timeline")
    company = models.ForeignKey(Company, models.CASCADE, null=True, related_name="timeline")
    message = models.ForeignKey("mailaccounts.Message", models.CASCADE, related_name="+")
    fingerprint = models.CharField(max_length=64)
    occurred_at = models.DateTimeField()
    unseen = models.BooleanField(default=False)

    class Meta:
        verbose_name = _("timeline entry")
        verbose_name_plural = _("timeline entries")
        constraints = [
            models.UniqueConstraint("contact", "message", name="timeline_message_once"),
            models.UniqueConstraint("company", "message", name="timeline_message_once_for_company"),
            models.CheckConstraint(
                condition=Q(contact__isnull=False) ^ Q(company__isnull=False), name="timeline_of_one_of_both"
            ),
        ]
        indexes = [
            models.Index(fields=["contact", "-occurred_at"], name="timeline_newest_first"),
            models.Index(fields=["company", "-occurred_at"], name="timeline_of_company"),
        ]

    def __str__(self) -> str:
        return f"{self.contact_id or self.company_id} {self.occurred_at:%Y-%m-%d}"
