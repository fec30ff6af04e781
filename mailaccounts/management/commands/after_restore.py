"""after_restore: to be run once, before workers start on a database that was restored from a backup."""

from __future__ import annotations

from typing import Any

from mailaccounts.management._output import OutputCommand
from mailaccounts.services.sending.outgoing_due import doubt_all


class Command(OutputCommand):
    help = "Holds back mail that waited to be sent when the backup was made: it may have been sent since."

    def handle(self, *args: Any, **options: Any) -> None:
        held_back = doubt_all()
        if options["json"]:
            self.emit({"held_back": held_back})
        else:
            self.stdout.write(f"{held_back} messages are looked for in Sent before anybody sends them.")
