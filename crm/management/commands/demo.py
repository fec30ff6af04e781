"""Lists the demo among the commands; manage.py starts it before any settings are read."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand

from crm.demo.cli import main


class Command(BaseCommand):
    help = "Opens the product on a world of its own: database, mail server, identity provider, web server, worker."

    def run_from_argv(self, argv: list[str]) -> None:
        sys.exit(main(argv[2:]))

    def handle(self, *args: Any, **options: Any) -> None:
        sys.exit(main([]))
