"""Paying by card: who takes it, and when what the provider says is written.

A notice is handled once its answer has left; `flask provider-events` handles what is left of them and asks about what no
notice told, `flask charge` takes what falls due from the cards that were given. Both are meant for a timer.
"""

import logging
import uuid
from datetime import timedelta

import click
from flask import Flask, Response, after_this_request, current_app, has_request_context, url_for
from flask.cli import with_appcontext

from webapp import clock, mailing
from webapp.adapters.payment_provider import MethodKind, Outcome, PaymentProvider, ProviderError, Way
from webapp.adapters.payment_providers import provider_for
from webapp.config import Settings
from webapp.extensions import db
from webapp.rendering import environments
from webapp.services import charges, checkout, provider_events, provider_refunds
from webapp.services.collections import Links
from webapp.transactions import after_commit, own_transaction

log = logging.getLogger(__name__)


def init_app(app: Flask) -> None:
    app.extensions["portal_payment_provider"] = provider_for(app.extensions["portal_settings"])
    after_commit(app, handle_what_was_kept)
    after_commit(app, send_refunds_asked)
    app.cli.add_command(provider_events_command)
    app.cli.add_command(charge)
    for made in environments():
        made.globals["saves"] = saves


# --- For doors -------------------------------------------------------------------------------------------------


def provider() -> PaymentProvider | None:
    """Who takes cards here; None when invoices are paid by transfer and direct debit only."""
    found: PaymentProvider | None = current_app.extensions["portal_payment_provider"]
    return found


def pays_by() -> tuple[MethodKind, ...]:
    """The ways to pay online, none without a provider."""
    found = provider()
    return found.capabilities.pays_by if found is not None else ()


def saves() -> tuple[MethodKind, ...]:
    """The kinds of methods that may be given for later invoices: the pages that offer them ask this."""
    found = provider()
    return tuple(found.capabilities.set_up_cents) if found is not None else ()


def way(subscription_id: uuid.UUID, checkout_id: uuid.UUID) -> Way:
    """Where the browser comes back to, and where the provider tells: whole addresses."""
    back = _whole("checkout.outcome", subscription_id=subscription_id, checkout_id=checkout_id)
    return Way(back, back, notices_to())


def notices_to(_key: str = "") -> str:
    found = provider()
    return _whole("checkout.notice", provider=found.name if found is not None else "none")


def links() -> Links:
    """Where the mails about a refused charge lead."""
    return Links(
        pay=lambda subscription_id, number: _whole(
            "checkout.pay", subscription_id=subscription_id, facture=number
        ),
        method=lambda subscription_id: _whole("payment.edit", subscription_id=subscription_id),
    )


def look(checkout_id: uuid.UUID) -> Outcome | None:
    """Ask the provider what a page has become, and write what it says: whoever asks, it is the same truth.

    The address somebody comes back by proves nothing. None when there is nobody to ask; an answer that does not come
    leaves everything as it was.
    """
    found = provider()
    if found is None:
        return None
    try:
        outcome = checkout.check(own_transaction, found, checkout_id, clock.today(), clock.now, links=links())
    except ProviderError as error:
        log.warning("%s did not say what became of %s: %s", found.name, checkout_id, error)
        return None
    mailing.deliver()
    return outcome


def handle_what_was_kept() -> None:
    """After the commit of a notice, once the provider has its answer: it waits a few seconds only, then tells again."""
    if not db.session().info.pop(provider_events.QUEUED, False):
        return
    app = current_app._get_current_object()  # type: ignore[attr-defined]  # the proxy is gone when it runs

    def afterwards() -> None:
        with app.app_context():
            handle_waiting()

    @after_this_request
    def handle_when_answered(response: Response) -> Response:
        response.call_on_close(afterwards)
        return response


def send_refunds_asked() -> None:
    """After the commit of a refund: the provider is asked, and what it says is written."""
    if db.session().info.pop(provider_refunds.QUEUED, False):
        send_refunds()


def send_refunds() -> int:
    """Ask for the refunds that wait; answers how many got no answer."""
    found = provider()
    if found is None:
        return 0
    today = clock.today()

    def learn(payment: str) -> None:
        checkout.learn(own_transaction, found, payment, today, clock.now, links=links())

    unanswered = provider_refunds.send_waiting(own_transaction, found, today, clock.now, learn)
    mailing.deliver()
    return unanswered


def handle_waiting() -> provider_events.Round:
    found = provider()
    if found is None:
        return provider_events.Round()
    done = provider_events.handle_waiting(own_transaction, found, clock.today(), clock.now, links=links())
    mailing.deliver()
    return done


# --- Commands --------------------------------------------------------------------------------------------------


@click.command("provider-events")
@click.option(
    "--look-back",
    "days",
    type=click.IntRange(0, 400),
    default=0,
    help="Ask again about the payments of so many days: refunds and chargebacks whose notice was lost.",
)
@with_appcontext
def provider_events_command(days: int) -> None:
    """Handle the notices of the payment provider that wait, ask it for the refunds it has not answered, and about what no notice has told.

    Meant for a timer, every few minutes; with --look-back 60, once a week. Killed and started again, or started twice at once, it changes nothing twice.
    """
    found = provider()
    if found is None:
        click.echo("PAYMENT_PROVIDER is none: nothing to ask")
        return
    done = handle_waiting() + provider_events.Round(failed=send_refunds())
    done += provider_events.catch_up(
        own_transaction, found, clock.today(), clock.now, look_back=timedelta(days=days), links=links()
    )
    mailing.deliver()
    click.echo(f"{done.handled} handled, {done.failed} failed")
    if done.failed:
        raise SystemExit(1)


@click.command("charge")
@click.option(
    "--on",
    "on_day",
    type=click.DateTime(["%Y-%m-%d"]),
    help="Charge what is due by this day, included; today by default.",
)
@with_appcontext
def charge(on_day: object) -> None:
    """Take what is due from the cards and the provider's mandates that accounts have given.

    Meant for a timer, once a day. Killed and started again, or started twice at once, it takes no invoice twice.
    """
    found = provider()
    if found is None:
        click.echo("PAYMENT_PROVIDER is none: nothing to charge")
        return
    on = on_day.date() if on_day else clock.today()  # type: ignore[attr-defined]  # click gives a datetime
    done = charges.run(own_transaction, found, on, clock.now, notices_to, links=links())
    mailing.deliver()
    click.echo(
        f"{done.paid} paid, {done.refused} refused, {done.waiting} wait for the bank, "
        f"{done.unsure} to be looked up by the next run"
    )
    if done.unsure:
        raise SystemExit(1)


def _whole(endpoint: str, **values: object) -> str:
    settings: Settings = current_app.extensions["portal_settings"]
    if has_request_context():
        return settings.base_url + url_for(endpoint, **values)  # type: ignore[arg-type]
    with current_app.test_request_context(base_url=settings.base_url):
        return settings.base_url + url_for(endpoint, **values)  # type: ignore[arg-type]
