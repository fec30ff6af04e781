"""The settings as a test runs them: the same, trusting a local mail server."""

import os

from desk.settings import *  # noqa: F403 - settings are built on settings
from desk.settings import MAILACCOUNTS as AS_WRITTEN

MAILACCOUNTS = {
    **AS_WRITTEN,
    "CA_BUNDLE": os.environ["MAILACCOUNTS_CA_BUNDLE"],
    "ALLOW_PRIVATE_HOSTS": os.environ["MAILACCOUNTS_ALLOW_PRIVATE_HOSTS"].split(","),
}
