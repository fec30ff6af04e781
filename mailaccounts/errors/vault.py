"""Sealed secrets that can't be opened."""

from __future__ import annotations

from mailaccounts.errors.base import MailAccountsError, Remedy


class VaultError(MailAccountsError):
    """A sealed secret can't be opened, or there is no key to seal with."""

    code = "vault"
    remedy = Remedy.OPERATOR
    sentence = "A stored secret can't be opened."
    next_step = "Whoever runs this installation should check MAILACCOUNTS_SECRET_KEYS."


class KeyMissing(VaultError):
    code = "key_missing"
    sentence = "A secret was sealed with key {key_id}, which is not configured."
    next_step = "Add that key back to MAILACCOUNTS_SECRET_KEYS."


class SealBroken(VaultError):
    code = "seal_broken"
    sentence = "A sealed secret was altered or belongs to another row."
    next_step = "Connect the account again; whoever runs this installation should look into it."
