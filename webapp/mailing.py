"""When the outbox is emptied: after each committed request that filled it, and by `flask send-mail` for the rest."""

import logging

import click
from flask import Flask, Response, after_this_request, current_app
from flask.cli import with_appcontext

from webapp import clock
from webapp.adapters.mail import mailer_for
from webapp.config import Settings
from webapp.extensions import db
from webapp.services import invoice_mails, outbox
from webapp.transactions import after_commit, own_transaction

log = logging.getLogger(__name__)


def init_app(app: Flask) -> None:
    settings: Settings = app.extensions["portal_settings"]
    app.extensions["portal_mailer"] = mailer_for(settings)
    after_commit(app, send_what_was_queued)
    app.cli.add_command(send_mail)
    app.cli.add_command(send_invoices)


def deliver(*, retry: bool = False) -> outbox.Delivery:
    settings: Settings = current_app.extensions["portal_settings"]
    mailer = current_app.extensions["portal_mailer"]
    return outbox.deliver_pending(
        own_transaction, mailer, sender=settings.mail_from, clock=clock.now, retry=retry
    )


def send_what_was_queued() -> None:
    """Send at once what is only written here; talk to a mail server once the browser has its answer.

    Otherwise an address that exists would answer later than one that does not, and tell so.
    """
    if not outbox.has_queued(db.session()):
        return
    settings: Settings = current_app.extensions["portal_settings"]
    if settings.mail_backend != "smtp":
        deliver()
        return
    app = current_app._get_current_object()  # type: ignore[attr-defined]  # the proxy is gone when it runs

    def afterwards() -> None:
        with app.app_context():
            deliver()

    @after_this_request
    def deliver_when_answered(response: Response) -> Response:
        response.call_on_close(afterwards)
        return response


@click.command("send-mail")
@with_appcontext
def send_mail() -> None:
    """Send the mails that wait, those that failed included. Meant for a timer, every few minutes."""
    round_ = deliver(retry=True)
    click.echo(f"{round_.sent} sent, {round_.waiting} to be tried again, {round_.given_up} given up")
    if round_.given_up:
        raise SystemExit(1)


@click.command("send-invoices")
@with_appcontext
def send_invoices() -> None:
    """Mail the new invoices and credit notes, each once, with its PDF. Meant for a timer, after the billing run."""
    mails = failed = last = 0
    while True:
        with own_transaction() as session:
            ids = invoice_mails.waiting(session, clock.today(), after=last)
        if not ids:
            break
        for invoice_id in ids:
            try:
                with own_transaction() as session:
                    mails += invoice_mails.mail(session, invoice_id, clock.now())
            except (
                Exception
            ):  # one document that cannot be made keeps no other from leaving; it is tried again
                log.exception("invoice %s was not mailed", invoice_id)
                failed += 1
        last = ids[-1]
        deliver()
    click.echo(f"{mails} mails written, {failed} documents failed")
    if failed:
        raise SystemExit(1)
