"""Django's settings, derived from S4's own (`S4`, see configuration.py).

Nothing here reads the environment but through `configuration.load`.
"""

from __future__ import annotations

import os
from pathlib import Path

from s4project import configuration, console, page_headers
from s4project.api import settings as api
from s4project.shipped import shipped_directory
from s4project.signing_key import secret_key
from s4project.sql.address import database

S4 = configuration.load(os.environ)
# The port that is the console's; `serve` sets it to the real one when S4_CONSOLE_BIND asks for 0.
S4_CONSOLE_PORT = S4.console_bind.port
BASE_DIR = Path(__file__).resolve().parent.parent
SHIPPED_DIR = shipped_directory()

DEBUG = False
ALLOWED_HOSTS = ["*"]  # any name may point at the store; links are built from S4_CONSOLE_URL
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en-us"
LOCALE_PATHS = [BASE_DIR / "s4project" / "locale"]  # of all packages: `make messages`
FORMAT_MODULE_PATH = ["s4project.formats"]  # moments as they sort, in UTC
ROOT_URLCONF = "s4project.urls"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_USER_MODEL = "iam.User"

INSTALLED_APPS = [
    "unfold",
    "django.contrib.admin.apps.SimpleAdminConfig",  # pages are loaded with their addresses: urls.py
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "storage_engine",
    "iam",
    "buckets",
    "s3api",
    "s4project",
]

MIDDLEWARE = [
    "s4project.metrics.console.ConsoleCounts",
    "s4project.page_headers.PageHeaders",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "s4project.static_files.StaticFilesMiddleware",
    "s4project.signing_key.FollowServerKey",
    "iam.audit_middleware.AuditMiddleware",
    "s4project.logs.console.Visitors",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "iam.sessions.SessionLife",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django_prometheus.middleware.PrometheusAfterMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [SHIPPED_DIR / "templates"],
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


DATABASES = {"default": database(S4.database_url, S4.data_dir, S4.database_password)}

SECRET_KEY = secret_key(S4.data_dir)

AUTHENTICATION_BACKENDS = ["iam.backends.SignInBackend"]
PASSWORD_HASHERS = ["iam.passwords.PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "iam.passwords.LengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"  # who comes to the login page by itself goes on to the first
LOGOUT_REDIRECT_URL = LOGIN_URL

SESSION_ENGINE = "iam.session_store"
SESSION_COOKIE_NAME = "s4_session"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = S4.session_hours * 3600
SESSION_COOKIE_SECURE = bool(S4.tls_cert) or S4.console_url.startswith("https:")
CSRF_COOKIE_NAME = "s4_csrf"
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SECURE = SESSION_COOKIE_SECURE
CSRF_TRUSTED_ORIGINS = [S4.console_url] if S4.console_url else []
CSRF_FAILURE_VIEW = "s4project.error_pages.csrf_failure"
CONTENT_SECURITY_POLICY = {"DIRECTIVES": page_headers.DIRECTIVES}
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"

STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "s4project" / "static"]
# Static files are served from the packages themselves: no build step, no second copy.
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False
WHITENOISE_ALLOW_ALL_ORIGINS = False

# Of django-prometheus: few enough bars that each page may have its own.
PROMETHEUS_LATENCY_BUCKETS = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, float("inf"))
LOGGING_CONFIG = None  # s4project.logs sets logging up, for Django as for the rest
UNFOLD = console.UNFOLD
REST_FRAMEWORK = api.REST_FRAMEWORK
SIMPLE_JWT = api.SIMPLE_JWT
SPECTACULAR_SETTINGS = api.SPECTACULAR
