"""The CRM's settings, from the environment or a ``.env`` file beside manage.py. docs/settings.md lists them all.

A secret may come from a file instead: ``SECRET_KEY_FILE=/run/secrets/key`` stands for ``SECRET_KEY``. What is not
for development only is as strict as production needs it; ``DEBUG=1`` is what makes plain http on localhost work.
"""

from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

from crm.environment import Environment

BASE_DIR = Path(__file__).resolve().parent.parent

env = Environment()
env.read_env(env.text("ENV_FILE", str(BASE_DIR / ".env")))

DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = env.text("SECRET_KEY", "only-for-development-on-this-machine" if DEBUG else "")
if not SECRET_KEY:
    raise ImproperlyConfigured(
        "SECRET_KEY is not set. Put a long random text into the environment or .env; this makes one: "
        "python -c 'import secrets; print(secrets.token_urlsafe(50))'"
    )
ALLOWED_HOSTS = env.words("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")
CSRF_TRUSTED_ORIGINS = env.words("CSRF_TRUSTED_ORIGINS")

# --- https and cookies -----------------------------------------------------------------------------------------

TRUSTED_PROXIES = env.int("TRUSTED_PROXIES", default=0)  # how many in front of us add X-Forwarded-* headers
SECURE_SSL_REDIRECT = not DEBUG
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$"]  # asked from within, past the proxy
SESSION_COOKIE_SECURE = not DEBUG
CSRF_COOKIE_SECURE = not DEBUG
SESSION_COOKIE_SAMESITE = "Lax"  # and not Strict: the provider's redirect back to us has to carry the session
CSRF_COOKIE_SAMESITE = "Lax"
SECURE_HSTS_SECONDS = 0 if DEBUG else env.int("HSTS_SECONDS", default=30 * 24 * 3600)
SECURE_HSTS_INCLUDE_SUBDOMAINS = env.bool("HSTS_SUBDOMAINS", default=False)
SECURE_HSTS_PRELOAD = env.bool("HSTS_PRELOAD", default=False)
if TRUSTED_PROXIES:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
ALLAUTH_TRUSTED_PROXY_COUNT = TRUSTED_PROXIES
SILENCED_SYSTEM_CHECKS = [
    "security.W005",  # whether every other host of the domain speaks https is not the CRM's to decide
    "security.W021",  # nor whether the domain goes on the browsers' preload list
]

# --- the application -------------------------------------------------------------------------------------------

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "django_htmx",
    "django_q",
    "mailaccounts",
    "crm",
    "crm.sign_in",
]

MIDDLEWARE = [
    "mailaccounts.middleware.CorrelationMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "mailaccounts.middleware.AliveMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "crm.csp.ContentSecurityPolicy",
    "crm.not_found.NotFoundMiddleware",
]

ROOT_URLCONF = "crm.urls"
WSGI_APPLICATION = "crm.wsgi.application"

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

# --- storage ---------------------------------------------------------------------------------------------------

DATABASES = {"default": env.db("DATABASE_URL", default=f"sqlite:///{BASE_DIR / 'db.sqlite3'}")}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # Web server and workers write at the same time: readers don't block in WAL, and a writer takes its lock at BEGIN.
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 30,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    }
else:
    # PostgreSQL would compile what it takes for a long statement, which takes many times as long as to run it.
    if startup_options := env.text("DATABASE_STARTUP_OPTIONS", "-c jit=off"):
        DATABASES["default"].setdefault("OPTIONS", {}).setdefault("options", startup_options)
    DATABASES["default"].setdefault("CONN_MAX_AGE", 60)
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = env.redis("REDIS_URL")
CACHES = {
    # Counts attempts, so that several web processes should share it: with Redis they do.
    "default": {"BACKEND": "crm.cache.RedisOrMemoryCache", "LOCATION": REDIS_URL, "KEY_PREFIX": "crm"}
    if REDIS_URL
    else {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
}

# --- signing in to the CRM -------------------------------------------------------------------------------------

AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/contacts/"
ACCOUNT_LOGIN_METHODS = {"username", "email"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
# Addresses at these domains, and at those below them, never count as contacts: name your own company's.
CRM_BARRED_DOMAINS = env.words("CRM_BARRED_DOMAINS")
ACCOUNT_ADAPTER = "crm.sign_in.adapters.AccountAdapter"
REAUTHENTICATE_AFTER = env.int("REAUTHENTICATE_AFTER", default=3600)  # seconds; 0 never asks again
SIGNUP_OPEN = env.bool("SIGNUP_OPEN", default=False)  # else users are made by an administrator
IDENTITY_PROVIDERS = ("microsoft", "google", "oidc")
SIGN_IN_WITH = env.some_of("SIGN_IN_WITH", IDENTITY_PROVIDERS, default=",".join(IDENTITY_PROVIDERS))  # if registered
SIGN_IN_BY_EMAIL = env.some_of("SIGN_IN_BY_EMAIL", IDENTITY_PROVIDERS)  # whose word for a user's address is enough
SOCIALACCOUNT_ADAPTER = "crm.sign_in.adapters.SocialAccountAdapter"
SOCIALACCOUNT_PROVIDERS = {
    "openid_connect": {"provider_class": "crm.sign_in.identity_provider.IdentityProvider"},
}
SOCIALACCOUNT_STORE_TOKENS = False
MFA_ADAPTER = "crm.sign_in.second_factor.SecondFactorAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_ALLOW_UNVERIFIED_EMAIL = True  # nobody should have to wait for a mail before they can protect their account
MFA_TOTP_ISSUER = "CRM"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]
vars().update(env.email_url("EMAIL_URL", default="consolemail://" if DEBUG else "smtp://localhost:25"))
EMAIL_TIMEOUT = 10  # seconds that this server may say nothing: people wait for a page, and workers are killed
DEFAULT_FROM_EMAIL = SERVER_EMAIL = env.text("DEFAULT_FROM_EMAIL", "crm@localhost")
ADMINS = [(address, address) for address in env.words("ADMINS")]  # told when an app registration stops working

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_I18N = True
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}

# --- logs: to stderr, without secrets --------------------------------------------------------------------------

LOG_LEVEL = env.level("LOG_LEVEL", "INFO")
LOG_FORMAT = env.one_of("LOG_FORMAT", ("line", "json"))
LIBRARY_LOG_LEVEL = env.level("LIBRARY_LOG_LEVEL", "WARNING")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"redact": {"()": "mailaccounts.redact.RedactingFilter"}},
    "formatters": {
        "line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"},
        "json": {"()": "mailaccounts.logs.JsonFormatter"},
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "filters": ["redact"], "formatter": LOG_FORMAT}},
    "root": {"handlers": ["stderr"], "level": LOG_LEVEL},
    "loggers": {
        # Django's own handlers don't redact, and runserver's lines hold the provider's callback with its code.
        **{name: {"handlers": [], "propagate": True, "level": "INFO"} for name in ("django", "django.server")},
        # IMAPClient at DEBUG prints what servers send: other people's mail.
        **{name: {"level": LIBRARY_LOG_LEVEL} for name in ("imapclient", "msal", "urllib3", "fido2", "django-q")},
    },
}

# --- mail accounts and their queue -----------------------------------------------------------------------------

MAILACCOUNTS = {
    "SECRET_KEYS": env.words("MAILACCOUNTS_SECRET_KEYS"),
    "RECEIPT_KEYS": env.words("MAILACCOUNTS_RECEIPT_KEYS"),
    "HOOKS": "crm.hooks.CrmHooks",
    "SITE_URL": env.text("SITE_URL"),
    "WEBHOOK_URL": env.text("WEBHOOK_URL"),
    "WEBHOOK_SECRETS": env.words("WEBHOOK_SECRETS"),
    "METRICS_TOKEN": env.text("METRICS_TOKEN"),
    "CA_BUNDLE": env.text("MAILACCOUNTS_CA_BUNDLE"),
    "ALLOW_PRIVATE_HOSTS": env.words("MAILACCOUNTS_ALLOW_PRIVATE_HOSTS"),
    "PRESETS_FILE": env.text("MAILACCOUNTS_PRESETS_FILE"),
    "CLIENTS": {
        "microsoft": {
            "client_id": env.text("MICROSOFT_CLIENT_ID"),
            "client_secret": env.text("MICROSOFT_CLIENT_SECRET"),
            "secret_expires_on": env.text("MICROSOFT_CLIENT_SECRET_EXPIRES"),
            "tenant": env.text("MICROSOFT_TENANT", "common"),
            "authority": env.text("MICROSOFT_AUTHORITY", "https://login.microsoftonline.com"),
        },
        "google": {
            "client_id": env.text("GOOGLE_CLIENT_ID"),
            "client_secret": env.text("GOOGLE_CLIENT_SECRET"),
            "secret_expires_on": env.text("GOOGLE_CLIENT_SECRET_EXPIRES"),
            "authority": env.text("GOOGLE_AUTHORITY", "https://accounts.google.com"),
        },
        "oidc": {
            "name": env.text("OIDC_NAME"),
            "client_id": env.text("OIDC_CLIENT_ID"),
            "client_secret": env.text("OIDC_CLIENT_SECRET"),
            "secret_expires_on": env.text("OIDC_CLIENT_SECRET_EXPIRES"),
            "authority": env.text("OIDC_ISSUER"),
            "scopes": env.text("OIDC_SCOPES"),
        },
    },
}

# Lease < timeout < retry, or a slow task would be started twice (mailaccounts' system checks insist).
Q_CLUSTER = {
    "name": "mailaccounts",
    "workers": env.int("Q_WORKERS", default=2),
    "timeout": 300,
    "retry": 360,
    "max_attempts": 1,
    "ack_failures": True,
    "save_limit": 250,
    "catch_up": False,
    "max_rss": 300_000,
    **({"redis": REDIS_URL} if REDIS_URL else {"orm": "default", "poll": 0.5}),
}
