"""Migrations of subscribers, carried out: by the process that a page starts, and by `flask migrate-subscribers`."""

import uuid
from collections.abc import Callable

import click
from flask import Flask, current_app, url_for
from flask.cli import with_appcontext

from webapp import clock, mailing
from webapp.i18n import _n, ngettext
from webapp.services import plan_migrations, plan_moves
from webapp.services.plan_moves import Links
from webapp.transactions import own_transaction

Moved = Callable[[int, int], None]  # told how many are done, of how many
DONE = _n("Migration %(id)s : un abonné traité.", "Migration %(id)s : %(count)s abonnés traités.")


def init_app(app: Flask) -> None:
    app.cli.add_command(migrate_subscribers)


def carry_out(migration_id: int, moved: Moved | None = None, size: int = plan_moves.PAGE) -> int:
    """Do all that is left of a migration, a transaction per page, then send the mails. Answers how many rows.

    Killed anywhere and run again, or run twice at once, it ends the same.
    """
    links, today = _links(), clock.today()
    with own_transaction() as session:
        total = plan_moves.to_do(session, plan_migrations.get(session, migration_id), today)
    done = 0
    while True:
        if moved is not None:
            moved(done, max(total, done))
        with own_transaction() as session:
            some = plan_moves.carry_on(session, migration_id, today, clock.now(), links, size)
        if not some:
            break
        done += some
    while mailing.deliver().sent:
        pass
    return done


@click.command("migrate-subscribers")
@with_appcontext
def migrate_subscribers() -> None:
    """Tell, page by page, the subscribers of each migration that is published, or cancelled, and not finished.

    Meant for a timer, every night: it takes up what a process that was killed has left. Twice changes nothing.
    """
    with own_transaction() as session:
        found = plan_moves.unfinished(session, clock.today())
    for migration_id in found:
        count = carry_out(migration_id)
        click.echo(ngettext(*DONE, count, _locale(), id=migration_id))


def _links() -> Links:
    return Links(
        overview=lambda subscription_id: _address("subscriptions.overview", subscription_id),
        leave=lambda subscription_id: _address("contract.terminate", subscription_id),
    )


def _address(endpoint: str, subscription_id: uuid.UUID) -> str:
    """A full address for a mail: a command has no request to take it from."""
    with current_app.test_request_context(base_url=current_app.extensions["portal_settings"].base_url):
        return url_for(endpoint, subscription_id=subscription_id, _external=True)


def _locale() -> str:
    return str(current_app.extensions["portal_settings"].default_locale)
