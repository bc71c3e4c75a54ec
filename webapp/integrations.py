"""The other systems of the operator and of its resellers: when they are told, `flask send-webhooks` and `flask api-key`.

What a request recorded leaves once its answer has gone, like the mails; the rest, and what must be tried again, is
sent by the command, from a timer.
"""

import logging

import click
from flask import Flask, Response, after_this_request, current_app, url_for
from flask.cli import AppGroup, with_appcontext

from webapp import clock
from webapp.adapters.safe_http import Reach
from webapp.adapters.vault import Purpose
from webapp.adapters.webhook_sender import WebhookSender
from webapp.config import Settings
from webapp.domain.access import SYSTEM
from webapp.extensions import db
from webapp.services import api_keys, events, webhooks
from webapp.transactions import after_commit, own_transaction
from webapp.vaults import vault

AT_ONCE = 20  # messages sent after one request: the timer sends the rest
log = logging.getLogger(__name__)

api_key = AppGroup("api-key", help="Keys of the systems that ask /api/v1.")


def init_app(app: Flask) -> None:
    settings: Settings = app.extensions["portal_settings"]
    app.extensions["portal_webhook_sender"] = WebhookSender(reach_of(settings))
    after_commit(app, tell_what_happened)
    app.cli.add_command(send_webhooks)
    app.cli.add_command(api_key)


def reach_of(settings: Settings) -> Reach:
    """Which addresses this installation calls."""
    return Reach(frozenset(settings.webhook_ports), settings.webhooks_anywhere)


def deliver(most: int | None = None) -> webhooks.Round:
    return webhooks.send_due(
        own_transaction,
        current_app.extensions["portal_webhook_sender"],
        vault(Purpose.WEBHOOKS),
        clock.now,
        _page_of,
        most=most,
    )


def tell_what_happened() -> None:
    """After a committed request that recorded an event: tell it once the browser has its answer."""
    settings: Settings = current_app.extensions["portal_settings"]
    session = db.session()
    if not events.has_queued(session) or not settings.webhooks_at_once:
        return
    if not webhooks.has_endpoint(session):
        return
    session.rollback()
    app = current_app._get_current_object()  # type: ignore[attr-defined]  # the proxy is gone when it runs

    def afterwards() -> None:
        with app.app_context():
            try:
                deliver(AT_ONCE)
            except Exception:  # what was recorded waits for the timer
                log.exception("other systems were not told at once")

    @after_this_request
    def tell_when_answered(response: Response) -> Response:
        response.call_on_close(afterwards)
        return response


def _page_of(endpoint_id: int) -> str:
    """The full address of the team's page, for a mail."""
    settings: Settings = current_app.extensions["portal_settings"]
    with current_app.test_request_context(base_url=settings.base_url):
        return url_for("staff.integration_endpoint", endpoint_id=endpoint_id, _external=True)


@click.command("send-webhooks")
@with_appcontext
def send_webhooks() -> None:
    """Tell other systems what happened, and try again what they did not take. Meant for a timer, every minute.

    Killed and started again, or started twice at once, no try is made twice by two workers; one that was under way is
    made again under the same webhook-id.
    """
    done = deliver()
    click.echo(
        f"{done.published} published, {done.delivered} delivered, {done.waiting} to be tried again, "
        f"{done.given_up} given up"
    )
    if done.given_up:
        raise SystemExit(1)


@api_key.command("create")
@click.argument("consumer")
@click.option("--reseller", help="Code of the reseller whose system it is: its clients only.")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice(api_keys.SCOPES),
    help="What it may read; all of it by default.",
)
def create(consumer: str, reseller: str | None, scopes: tuple[str, ...]) -> None:
    """Make a key for CONSUMER, opened if it is new, and print it: it is never shown again."""
    try:
        with own_transaction() as session:
            now = clock.now()
            found = api_keys.consumer_named(session, consumer)
            if found is None:
                found = api_keys.open_consumer(session, consumer, reseller, now, SYSTEM)
            elif reseller:
                raise click.ClickException(f"{consumer} exists already: leave --reseller out")
            key, clear = api_keys.make(session, found.id, scopes or api_keys.SCOPES, now, SYSTEM)
            click.echo(f"{key.prefix}…  {', '.join(key.scopes)}", err=True)
    except api_keys.NameTaken:
        raise click.ClickException(f"{consumer} was closed: choose another name") from None
    except api_keys.ConsumerNotFound:
        raise click.ClickException(f"no reseller has the code {reseller}") from None
    click.echo(clear)


@api_key.command("list")
def list_keys() -> None:
    """The systems and their keys, by their first characters."""
    with own_transaction() as session:
        for each in api_keys.listed(session):
            closed = ", closed" if each.consumer.closed_at else ""
            click.echo(f"{each.consumer.name} ({each.reseller or 'operator'}{closed})")
            for key in api_keys.keys_of(session, each.consumer.id):
                used = f"last used {key.last_used_at:%Y-%m-%d}" if key.last_used_at else "never used"
                state = "revoked" if key.revoked_at else used
                click.echo(f"  {key.prefix}…  {', '.join(key.scopes)}  {state}")


@api_key.command("revoke")
@click.argument("prefix")
def revoke(prefix: str) -> None:
    """Revoke the key that begins with PREFIX, from now on."""
    try:
        with own_transaction() as session:
            key = api_keys.by_prefix(session, prefix.rstrip("…"))
            shown = api_keys.revoke(session, key.id, clock.now(), SYSTEM).prefix
    except api_keys.KeyNotFound:
        raise click.ClickException(f"no single key in use begins with {prefix}") from None
    click.echo(f"{shown}… revoked")
