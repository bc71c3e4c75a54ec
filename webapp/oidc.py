"""The identity provider by which the team may sign in, if the settings name one, and `flask oidc-unbind`."""

from importlib.util import find_spec

import click
from flask import Flask, current_app
from flask.cli import with_appcontext

from webapp import clock
from webapp.adapters.oidc import Provider, provider_for
from webapp.config import Settings, WrongSetting
from webapp.domain.access import SYSTEM
from webapp.rendering import environments
from webapp.services import oidc
from webapp.transactions import own_transaction


def init_app(app: Flask) -> None:
    """Raises WrongSetting when a provider is set and what speaks to it is not installed."""
    settings: Settings = app.extensions["portal_settings"]
    found = provider_for(settings)
    if found is not None and find_spec("authlib") is None:
        raise WrongSetting(
            "PORTAL_OIDC_ISSUER",
            "a provider is set, and Authlib is not installed",
            "nothing, or the extra `oidc` installed as docs/operate/oidc.md says",
        )
    app.extensions["portal_oidc"] = found
    app.cli.add_command(unbind)
    for made in environments():
        made.globals["team_provider"] = label


def provider() -> Provider | None:
    found: Provider | None = current_app.extensions["portal_oidc"]
    return found


def label() -> str:
    """The provider's name on the sign-in page; empty when there is none."""
    found = provider()
    return found.label if found is not None else ""


@click.command("oidc-unbind")
@click.argument("email")
@with_appcontext
def unbind(email: str) -> None:
    """Forget which account of the identity provider is EMAIL's: the next one with that verified address becomes it."""
    with own_transaction() as session:
        if not oidc.unbind(session, email, actor=SYSTEM, now=clock.now()):
            raise click.ClickException(f"no account of the identity provider is bound to {email}")
    click.echo(f"{email} unbound")
