#!/usr/bin/env python
"""Django's command line for the CRM."""

import os
import sys

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line

if __name__ == "__main__":
    if sys.argv[1:2] == ["demo"]:
        # The demo brings settings of its own, and works in a clone that has none yet.
        from crm.demo.cli import main

        sys.exit(main(sys.argv[2:]))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "crm.settings")
    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:  # it says what to do
        sys.stderr.write(f"CommandError: {error}\n")
        sys.exit(2)
