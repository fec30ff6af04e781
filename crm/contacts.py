"""Writes of the CRM: adding a contact, or correcting one."""

from __future__ import annotations

from crm.models import Company, Contact


def save_contact(*, name: str, email: str, company: str = "") -> bool:
    """Adds the contact, or updates the one with this address; tells whether it was added.

    An empty ``company`` leaves the one there is.
    """
    values: dict[str, object] = {"name": name}
    if company:
        values["company"] = company_named(company)
    _, added = Contact.objects.update_or_create(email=email, defaults=values)
    return added


def company_named(name: str) -> Company | None:
    """The company of this name, added when it is new; None for no name."""
    return Company.objects.get_or_create(name=name)[0] if name else None
