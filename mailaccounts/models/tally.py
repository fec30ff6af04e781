"""Tally: what became of the messages of an account that were examined, in figures."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class Tally(models.Model):
    """Counts since the account was connected; written in the transaction that stores and moves the cursor.

    Of messages whose headers were read, ``stored`` are new, ``again`` are stored already: they lie in a second folder,
    say, or were read once more. The others were left alone, because ``nobody`` in them is known, because there are but
    ``colleagues`` in them, whom the host passes over, because their owner has ``blocked`` somebody, or because nobody
    wants drafts, nor mail older than is kept, nor what was erased for good: they are ``left_out``. ``joined`` of those
    were stored later after all. ``bodies`` were read, and ``erased`` messages are stored no more.
    For the preview before the first sync headers of ``previewed`` messages were read, and none of it kept.
    """

    account = models.OneToOneField("mailaccounts.MailAccount", models.CASCADE, primary_key=True, related_name="tally")
    stored = models.PositiveBigIntegerField(default=0)
    again = models.PositiveBigIntegerField(default=0)
    nobody = models.PositiveBigIntegerField(default=0)
    colleagues = models.PositiveBigIntegerField(default=0)
    blocked = models.PositiveBigIntegerField(default=0)
    left_out = models.PositiveBigIntegerField(default=0)
    joined = models.PositiveBigIntegerField(default=0)
    bodies = models.PositiveBigIntegerField(default=0)
    erased = models.PositiveBigIntegerField(default=0)
    previewed = models.PositiveBigIntegerField(default=0)

    class Meta:
        verbose_name = _("tally")
        verbose_name_plural = _("tallies")

    def __str__(self) -> str:
        return f"{self.pk}"

    @property
    def skipped(self) -> int:
        """Messages that were left alone, and still are."""
        return self.nobody + self.colleagues + self.blocked + self.left_out - self.joined

    @property
    def examined(self) -> int:
        """Messages whose headers were read, each time they were."""
        return self.stored + self.again + self.skipped
