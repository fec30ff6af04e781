"""Makes the CRM's database: ``python -m crm.demo.prepare CONTACTS.csv USERS.json``, in the environment of a demo."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import django
from django.core.management import call_command


def main(contacts_file: str, users_file: str) -> None:
    django.setup()
    call_command("migrate", verbosity=0)
    call_command("import_contacts", contacts_file)

    from django.contrib.auth import get_user_model

    users = get_user_model().objects
    for user in json.loads(Path(users_file).read_text()):
        users.create_user(
            user["username"],
            email=user["email"],
            password=user["password"],
            first_name=user["first_name"],
            last_name=user["last_name"],
            is_staff=user["admin"],
            is_superuser=user["admin"],
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
