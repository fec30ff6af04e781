"""receipt_keys: the public keys that receipts are checked with, to be given to whoever is to check them."""

from __future__ import annotations

from typing import Any

from mailaccounts.conf import settings
from mailaccounts.management._output import OutputCommand


class Command(OutputCommand):
    help = "Prints the public keys that receipts are signed with: the first signs today. They are no secret."
    requires_system_checks = ("mailaccounts",)  # a key that can't be used is told in words

    def handle(self, *args: Any, **options: Any) -> None:
        ours = settings.box.public_keys
        keys = [*ours, *sorted(settings.trusted_keys.difference(ours), key=str)]
        for key in keys if options["json"] else ():
            self.emit({"key": key.key_id, "signs": key in ours[:1], "public_key": str(key), "pem": key.pem})
        if not options["json"]:
            rows = [(key.key_id, "yes" if key in ours[:1] else "no", key) for key in keys]
            self.table(("KEY", "SIGNS", "PUBLIC KEY"), rows)
