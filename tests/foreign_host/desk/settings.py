import os
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parents[1]
SECRET_KEY = os.environ["DESK_SECRET_KEY"]
ALLOWED_HOSTS = ["desk.example"]
ROOT_URLCONF = "desk.urls"
LOGIN_URL = "/admin/login/"
STATIC_URL = "static/"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "desk",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ["DESK_DATABASE"]}}

# --- what mailaccounts wants -----------------------------------------------------------------------------------

INSTALLED_APPS += ["django_htmx", "django_q", "mailaccounts"]
MIDDLEWARE += ["django_htmx.middleware.HtmxMiddleware"]
MAILACCOUNTS = {"SECRET_KEYS": [os.environ["MAIL_KEY"]], "HOOKS": "desk.hooks.DeskHooks"}
Q_CLUSTER = {"name": "desk", "orm": "default", "timeout": 300, "retry": 360, "max_attempts": 1, "ack_failures": True}
