"""The host's settings, with users of its own."""

from desk.settings import *  # noqa: F403 - settings are built on settings
from desk.settings import INSTALLED_APPS, MAILACCOUNTS, MIDDLEWARE

INSTALLED_APPS = ["members", *INSTALLED_APPS]
AUTH_USER_MODEL = "members.Member"
MIDDLEWARE = [*MIDDLEWARE, "mailaccounts.middleware.AliveMiddleware"]
MAILACCOUNTS = {"SECRET_KEYS": MAILACCOUNTS["SECRET_KEYS"]}
