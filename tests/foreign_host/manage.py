"""Somebody else's Django CRM, as small as one can be: no part of this repository's own CRM is in it."""

import os
import sys

from django.core.management import execute_from_command_line

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "desk.settings")
execute_from_command_line(sys.argv)
