"""The portal: plan, options, establishments and invoices of a subscription."""

import logging
import os
from importlib import import_module

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from webapp import (
    assets,
    auth,
    banking,
    clock,
    commands,
    dispatching,
    embedding,
    errors,
    executing,
    extensions,
    i18n,
    integrations,
    mailing,
    migrating,
    mounting,
    oidc,
    paying,
    rendering,
    security,
    upgrading,
)
from webapp.adapters.vault import Vault
from webapp.blueprints import DOORS
from webapp.config import Settings
from webapp.services import search_terms


def create_app(settings: Settings | None = None) -> Flask:
    """Build the application. Without `settings`, they are read from the environment."""
    settings = settings or Settings.from_env(os.environ)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    app = mounting.Portal(__name__, instance_path=str(settings.instance), static_folder=None)
    app.config.update(_flask_settings(settings))
    app.extensions["portal_settings"] = settings
    app.extensions["portal_vault"] = Vault([settings.secret_key, *settings.secret_key_fallbacks])
    mounting.init_app(app)
    if settings.proxies:
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
            app.wsgi_app, x_for=settings.proxies, x_proto=settings.proxies, x_host=settings.proxies
        )
    clock.configure(settings.time_zone, settings.clock)
    assets.init_app(app, settings.instance)
    security.init_app(app, settings)
    embedding.init_app(app)
    extensions.init_app(app)
    upgrading.init_app(app)
    i18n.init_app(app)
    auth.init_app(app)
    rendering.init_app(app)
    mailing.init_app(app)
    paying.init_app(app)
    oidc.init_app(app)
    dispatching.init_app(app)
    banking.init_app(app)
    integrations.init_app(app)
    migrating.init_app(app)
    executing.init_app(app)
    errors.init_app(app)
    commands.init_app(app)
    search_terms.watch()
    for name in DOORS:
        app.register_blueprint(import_module(f"webapp.blueprints.{name}").bp)
    return app


def _flask_settings(settings: Settings) -> dict[str, object]:
    return {
        "SECRET_KEY": settings.secret_key,
        "SECRET_KEY_FALLBACKS": list(settings.secret_key_fallbacks),
        "SQLALCHEMY_DATABASE_URI": settings.database_url,
        "SESSION_COOKIE_NAME": "__Host-portal" if settings.is_https else "portal",
        "SESSION_COOKIE_SECURE": settings.is_https,
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Lax",
        "PREFERRED_URL_SCHEME": "https" if settings.is_https else "http",
        "WTF_CSRF_TIME_LIMIT": None,  # the token lives as long as the session
        "WTF_I18N_ENABLED": False,
        "MAX_CONTENT_LENGTH": 1024 * 1024,
        "MAX_FORM_MEMORY_SIZE": 256 * 1024,
        "MAX_FORM_PARTS": 2000,
        "TEMPLATES_AUTO_RELOAD": False,
    }
