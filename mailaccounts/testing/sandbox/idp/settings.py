"""Django's settings for the identity provider. Only its own process reads them."""

from pathlib import Path

from mailaccounts.testing.sandbox.idp.shapes import SCOPES
from mailaccounts.testing.sandbox.idp.task import published

SANDBOX = published()

SECRET_KEY = SANDBOX.control_token
DEBUG = False
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]"]
USE_TZ = True
TIME_ZONE = "UTC"

INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "oauth2_provider"]
MIGRATION_MODULES = dict.fromkeys(
    ("auth", "contenttypes", "sessions", "oauth2_provider")
)  # tables straight from models
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "mailaccounts.testing.sandbox.idp.faults.FaultMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "mailaccounts.testing.sandbox.idp.urls"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [Path(__file__).parent / "templates"],
        "OPTIONS": {"context_processors": ["django.template.context_processors.request"]},
    }
]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(Path(SANDBOX.directory) / "idp.sqlite3"),
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": 30,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;",
        },
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTHENTICATION_BACKENDS = ["mailaccounts.testing.sandbox.idp.accounts.SandboxBackend"]

# The CRM runs on localhost too, and cookies don't know ports: names of our own.
SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
SESSION_COOKIE_NAME = "sandbox_idp_session"
CSRF_COOKIE_NAME = "sandbox_idp_csrf"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True
# The consent page answers with a redirect to the CRM; the referrer must not carry the request along.
SECURE_REFERRER_POLICY = "same-origin"

OAUTH2_PROVIDER = {
    "OAUTH2_VALIDATOR_CLASS": "mailaccounts.testing.sandbox.idp.validators.SandboxValidator",
    "ACCESS_TOKEN_GENERATOR": "mailaccounts.testing.sandbox.idp.app_tokens.generate",
    "OIDC_ENABLED": True,
    "OIDC_RSA_PRIVATE_KEY": SANDBOX.signing_key,
    "SCOPES": SCOPES,
    "SCOPES_BACKEND_CLASS": "mailaccounts.testing.sandbox.idp.validators.SandboxScopes",
    "PKCE_REQUIRED": True,
    "ALLOW_LOCALHOST_LOOPBACK": True,  # any port of localhost, as Entra allows it and RFC 8252 §7.3 asks for
    "ACCESS_TOKEN_EXPIRE_SECONDS": 3600,
    "ID_TOKEN_EXPIRE_SECONDS": 3600,
    "AUTHORIZATION_CODE_EXPIRE_SECONDS": 600,
    "ROTATE_REFRESH_TOKEN": True,
    "REFRESH_TOKEN_REUSE_PROTECTION": True,
    "COMPLIANT_BCP_RFC9700_IMPLICIT_GRANT": True,
    "COMPLIANT_BCP_RFC9700_PASSWORD_GRANT": True,
    "COMPLIANT_BCP_RFC9700_PKCE_METHOD": True,
    "COMPLIANT_BCP_RFC9700_ACCESS_TOKEN_TRANSPORT": True,
    "COMPLIANT_BCP_RFC9700_TOKEN_STORAGE": True,
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name} {message}", "style": "{"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
}
