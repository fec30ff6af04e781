"""Alias: another address that an account may send from."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _


class Alias(models.Model):
    """An address at which the account's owner gets mail, once that is proven: nobody sends from it before."""

    account = models.ForeignKey("mailaccounts.MailAccount", models.CASCADE, related_name="aliases")
    address = models.EmailField(max_length=254)
    created_at = models.DateTimeField(auto_now_add=True)
    proven_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("alias")
        verbose_name_plural = _("aliases")
        ordering = ("address",)
        constraints = [models.UniqueConstraint("account", Lower("address"), name="alias_once_per_account")]

    def __str__(self) -> str:
        return self.address
