"""The CRM's settings as the tests run them: keys of their own, no ``.env``, and the ORM broker.

``TEST_DATABASE_URL`` chooses the database; tests/servers.py sets it when nobody else does.
"""

import os
import tempfile

os.environ["ENV_FILE"] = os.devnull
os.environ["DEBUG"] = "0"
os.environ["REDIS_URL"] = ""
os.environ["SECRET_KEY"] = "tests-only-" + "k" * 50
os.environ["MAILACCOUNTS_SECRET_KEYS"] = "c2VjcmV0LWtleS1vZi10aGUtdGVzdHMtMzItYnl0ZXM="
os.environ["DATABASE_URL"] = os.environ.get("TEST_DATABASE_URL", "sqlite://:memory:")  # absent only under mypy

from crm.settings import *  # noqa: F403 - settings are built on settings
from crm.settings import DATABASES, MIDDLEWARE

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # tests sign in often
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
REAUTHENTICATE_AFTER = 0  # most tests enter without typing a password
SECURE_SSL_REDIRECT = SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = False  # tests speak plain http
MIDDLEWARE = [each for each in MIDDLEWARE if "Alive" not in each]  # a query a minute, whichever test counts them
WHITENOISE_AUTOREFRESH = True  # nothing was collected
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}

if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # A file and not memory: write-ahead logging and a second process are part of what is tested.
    DATABASES["default"]["TEST"] = {"NAME": os.path.join(tempfile.gettempdir(), f"mailaccounts-{os.getpid()}.sqlite3")}
