"""The commands of the operator: flask --app wsgi catalogue …, seed …

A command is a door: it reads the clock, calls a service in one transaction, and says what was done.
"""

import json
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path

import click
from flask import Flask, current_app, url_for
from flask.cli import AppGroup, with_appcontext
from sqlalchemy import inspect
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from webapp import clock, filters, mailing
from webapp.adapters.vault import Purpose
from webapp.adapters.yaml_file import BrokenFile
from webapp.domain.access import SYSTEM
from webapp.domain.money import Money
from webapp.domain.refusals import Refusal
from webapp.extensions import db
from webapp.i18n import Sentence, _, date_text, explain, t
from webapp.services import (
    announcements,
    billing_run,
    catalogue_words,
    demo,
    invoicing,
    method_ends,
    printed,
    renewals,
    revenue,
    sealed,
    search_terms,
)
from webapp.services import catalogue as catalogue_service
from webapp.services import dunning as dunning_service
from webapp.vaults import vault

A_FILE = click.Path(path_type=Path)
A_DAY = click.DateTime(["%Y-%m-%d"])

catalogue = AppGroup("catalogue", help="Check and publish the catalogue of plans and options.")

seed = AppGroup("seed", help="Fill an empty installation.")
dunning = AppGroup("dunning", help="Check and publish the reminder ladders and the rates of late interest.")

ROLES = {
    "owner": _("propriétaire"),
    "administrator": _("administrateur"),
    "viewer": _("lecteur"),
    "accountant": _("comptable"),
    "staff": _("équipe"),
    "reseller_admin": _("administrateur du partenaire"),
    "reseller_agent": _("agent du partenaire"),
    "reseller_reader": _("lecteur du partenaire"),
}


def init_app(app: Flask) -> None:
    app.cli.add_command(catalogue)
    app.cli.add_command(seed)
    app.cli.add_command(demo_logins)
    app.cli.add_command(bill)
    app.cli.add_command(renew)
    app.cli.add_command(announce)
    app.cli.add_command(reseal)
    app.cli.add_command(dunning)
    app.cli.add_command(remind)
    app.cli.add_command(measure)
    app.cli.add_command(reindex)


@catalogue.command("check")
@click.argument("file", type=A_FILE)
def check(file: Path) -> None:
    """Read FILE and say what is wrong with it, line by line. Nothing is written."""
    with _transaction() as session:
        found = catalogue_service.check(session, file)
    _say(
        _(
            "Le fichier est valable : %(plans)s formules, %(options)s options, %(features)s services comparés."
        ),
        plans=len(found.plans),
        options=len(found.options),
        features=len(found.features),
    )


@catalogue.command("publish")
@click.argument("file", type=A_FILE)
@click.option("--from", "from_day", type=A_DAY, help="First day on which it may be signed; today by default.")
def publish(file: Path, from_day: datetime | None) -> None:
    """Publish new versions of what changed in FILE. What was sold is never edited."""
    day = from_day.date() if from_day else clock.today()
    with _transaction() as session:
        found = catalogue_service.check(session, file)
        publication = catalogue_service.publish(session, found, day, SYSTEM, clock.now())
    for change in publication.changes:
        click.echo(catalogue_words.told(change, _locale()))
    if not publication:
        _say(_("Rien n’a changé : ce catalogue est déjà publié."))


@seed.command("demo")
def seed_demo() -> None:
    """Load the businesses of the demo, with their history up to today. Loading twice changes nothing."""
    with _transaction() as session:
        loaded = demo.load(session, clock.today(), clock.now(), vault(Purpose.BANK_ACCOUNTS))
    if loaded.references:
        _say(
            _("Démonstration chargée : %(accounts)s comptes, %(invoices)s factures."),
            accounts=len(loaded.references),
            invoices=loaded.invoices,
        )
    else:
        _say(_("La démonstration est déjà chargée ; rien n’a changé."))


@click.command("demo-logins")
@with_appcontext
def demo_logins() -> None:
    """Say who may sign in to the demo, and with which password."""
    with _transaction() as session:
        password, logins = demo.logins(session)
    if not logins:
        _say(_("La démonstration n’est pas chargée. Lancez d’abord : flask --app wsgi seed demo"))
        return
    _say(_("Mot de passe de tous les comptes de démonstration : %(password)s"), password=password)
    width = max(len(login.email) for login in logins)
    for login in logins:
        click.echo(f"  {login.email:<{width}}  {login.account}, {_text(ROLES[login.role])}")


@click.command("bill")
@click.option(
    "--on", "on_day", type=A_DAY, help="Bill what is due up to this day, included; today by default."
)
@click.option("--account", "reference", help="Only this account, by its reference.")
@click.option(
    "--dry-run", "is_rehearsal", is_flag=True, help="Work everything out, say the totals, keep nothing."
)
@click.option("--json", "as_json", is_flag=True, help="Print the run as JSON.")
@with_appcontext
def bill(on_day: datetime | None, reference: str | None, is_rehearsal: bool, as_json: bool) -> None:
    """Issue every invoice that is due and not issued yet. One account's failure stops no other.

    Killed and started again, or started twice, it ends with the same invoices. It refuses to start on documents that
    do not hold together.
    """
    on = on_day.date() if on_day else clock.today()
    _ensure_ready()
    try:
        with _progress() as moved:
            report = billing_run.run(
                partial(_page, keeps=not is_rehearsal),
                on,
                clock.now,
                reference=reference,
                is_rehearsal=is_rehearsal,
                moved=moved,
            )
    except billing_run.UnknownAccount:
        raise click.ClickException(
            _text(_("Aucun compte n’a la référence %(reference)s."), reference=reference)
        ) from None
    except invoicing.NoIssuer:
        raise click.ClickException(
            _text(_("Aucune société émettrice n’est connue : rien ne peut être facturé."))
        ) from None
    except billing_run.InvariantsBroken as broken:
        for each in broken.found:
            click.echo(str(each), err=True)
        raise click.ClickException(
            _text(
                _(
                    "Des documents ne tiennent pas ensemble, voir ci-dessus. Plus rien n’est facturé avant réparation."
                )
            )
        ) from None
    except SQLAlchemyError as error:
        detail = str(getattr(error, "orig", error))
        raise click.ClickException(
            _text(
                _(
                    "La base a refusé : %(detail)s. Ce qui était terminé est gardé ; relancez la même commande."
                ),
                detail=detail,
            )
        ) from error
    _tell_run(report, is_rehearsal, as_json)
    if report.failed:
        raise SystemExit(1)


def _tell_run(report: billing_run.Report, is_rehearsal: bool, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(report.facts(), ensure_ascii=False))
        return
    for failure in report.failures:
        causes = [printed.explain(problem, _locale()) for problem in failure.facts]
        causes = causes or [f"{failure.code} {failure.detail}"]
        click.echo(f"{failure.account} {failure.subscription_id}: {' '.join(causes)}", err=True)
    if is_rehearsal:
        _say(_("Répétition, rien n’a été écrit."))
    _say(_("Facturation au %(day)s : %(issued)s documents émis, %(failed)s comptes en échec."),
         day=date_text(report.on, _locale()), issued=report.documents, failed=report.failed)  # fmt: skip
    net, vat, total = (
        filters.money(Money(cents), _locale())
        for cents in (report.net_cents, report.vat_cents, report.total_cents)
    )
    _say(_("%(net)s HTVA, %(vat)s de TVA, %(total)s TVAC."), net=net, vat=vat, total=total)


@contextmanager
def _page(keeps: bool) -> Iterator[Session]:
    """One transaction of a long run, on a session of its own: kept at its end, or not at all in a rehearsal."""
    with Session(db.engine) as session:
        yield session
        if keeps:
            session.commit()


@contextmanager
def _progress() -> Iterator[Callable[[int, int], None]]:
    """A bar on a terminal, nothing elsewhere."""
    with click.progressbar(length=1, file=sys.stderr, hidden=not sys.stderr.isatty()) as bar:

        def moved(done: int, due: int) -> None:
            bar.length = max(done, due, 1)
            bar.update(done - bar.pos)

        yield moved


@click.command("reseal")
@with_appcontext
def reseal() -> None:
    """Seal every secret with the current SECRET_KEY, before a former one leaves SECRET_KEY_FALLBACKS."""
    with _transaction() as session:
        done, lost = sealed.reseal(session, vault)
    click.echo(f"{done} sealed with the current key, {lost} that no key opens")
    if lost:
        raise SystemExit(1)


@click.command("reindex")
@with_appcontext
def reindex() -> None:
    """Make again the words by which accounts are found: once after an import, or in doubt. Twice changes nothing."""
    done, last = 0, None
    while True:
        with _transaction() as session:
            some = search_terms.some_after(session, last)
            search_terms.refresh(session, some)
        if not some:
            break
        done, last = done + len(some), some[-1]
    click.echo(f"{done} accounts can be found")


@click.command("renew")
@click.option(
    "--on", "on_day", type=A_DAY, help="Apply what is due up to this day, included; today by default."
)
@click.option("--account", "reference", help="Only this account, by its reference.")
@with_appcontext
def renew(on_day: datetime | None, reference: str | None) -> None:
    """Apply scheduled changes on their date and write down renewals, then mail them. Twice changes nothing."""
    on = on_day.date() if on_day else clock.today()
    with _transaction() as session:
        found = renewals.subscriptions_to_turn(session, on, reference)
    applied = renewed = ended = waiting = failed = 0
    for subscription_id in found:
        try:
            with _transaction() as session:
                turned = renewals.turn(
                    session, subscription_id, on, clock.now(), _link("contract.show", subscription_id)
                )
        except click.ClickException as problem:
            failed += 1
            click.echo(f"{subscription_id}: {problem.message}", err=True)
            continue
        applied += turned.applied
        renewed += turned.renewed_on is not None
        ended += turned.ended_on is not None
        waiting += turned.waits
    mailing.deliver()
    _say(
        _(
            "Contrats au %(day)s : %(applied)s changements appliqués, %(renewed)s reconductions, %(ended)s fins, "
            "%(waiting)s en attente de facturation, %(failed)s en échec."
        ),
        day=date_text(on, _locale()),
        applied=applied,
        renewed=renewed,
        ended=ended,
        waiting=waiting,
        failed=failed,
    )
    if failed:
        raise SystemExit(1)


@click.command("announce")
@click.option("--on", "on_day", type=A_DAY, help="Announce as on this day; today by default.")
@with_appcontext
def announce(on_day: datetime | None) -> None:
    """Mail the owners before their last day to give notice (PORTAL_ANNOUNCE_DAYS), and before a card or a mandate ends.

    Each announcement leaves once. What has ended is put out of service.
    """
    on = on_day.date() if on_day else clock.today()
    days = current_app.extensions["portal_settings"].announce_days
    with _transaction() as session:
        found = announcements.due(session, on, days)
    sent = failed = 0
    for each in found:
        try:
            with _transaction() as session:
                link = _link("contract.show", each.subscription_id)
                sent += announcements.announce(session, each, on, clock.now(), link)
        except click.ClickException as problem:
            failed += 1
            click.echo(f"{each.subscription_id}: {problem.message}", err=True)
    _say(
        _("Préavis au %(day)s : %(sent)s annonces, %(failed)s en échec."),
        day=date_text(on, _locale()),
        sent=sent,
        failed=failed,
    )
    failed += _announce_method_ends(on)
    mailing.deliver()
    if failed:
        raise SystemExit(1)


def _announce_method_ends(on: date) -> int:
    """Announce the cards and mandates that end soon, and end those whose day has come. Answers how many failed."""
    with _transaction() as session:
        ending, over = method_ends.due(session, on), method_ends.to_end(session, on)
    sent = ended = failed = 0
    for each in ending:
        try:
            with _transaction() as session:
                link = _link("payment.edit", each.subscription_id)
                sent += method_ends.announce(session, each, on, clock.now(), link)
        except click.ClickException as problem:
            failed += 1
            click.echo(f"{each.subscription_id}: {problem.message}", err=True)
    for method_id in over:
        try:
            with _transaction() as session:
                method_ends.end(session, method_id, clock.now())
            ended += 1
        except click.ClickException as problem:
            failed += 1
            click.echo(f"{method_id}: {problem.message}", err=True)
    _say(
        _("Moyens de paiement au %(day)s : %(sent)s annonces, %(ended)s hors service, %(failed)s en échec."),
        day=date_text(on, _locale()),
        sent=sent,
        ended=ended,
        failed=failed,
    )
    return failed


@dunning.command("check")
@click.argument("file", type=A_FILE)
def check_dunning(file: Path) -> None:
    """Read FILE and say what is wrong with it, line by line. Nothing is written."""
    with _transaction() as session:
        found = dunning_service.check(session, file)
    _say(
        _("Le fichier est valable : %(policies)s échelles, %(rates)s taux d’intérêt."),
        policies=len(found.policies),
        rates=len(found.rates),
    )


@dunning.command("publish")
@click.argument("file", type=A_FILE)
def publish_dunning(file: Path) -> None:
    """Publish what is new in FILE, from the days that it says. What was published is never edited."""
    with _transaction() as session:
        found = dunning_service.check(session, file)
        added = dunning_service.publish(session, found, SYSTEM, clock.now())
    if added:
        _say(_("Publié : %(added)s échelles ou taux nouveaux."), added=added)
    else:
        _say(_("Rien n’a changé : ces échelles sont déjà publiées."))


@click.command("remind")
@click.option("--on", "on_day", type=A_DAY, help="Remind as on this day; today by default.")
@click.option("--account", "reference", help="Only this account, by its reference.")
@click.option(
    "--dry-run", "is_rehearsal", is_flag=True, help="Say what would be done, keep and send nothing."
)
@click.option("--json", "as_json", is_flag=True, help="Print the round as JSON.")
@with_appcontext
def remind(on_day: datetime | None, reference: str | None, is_rehearsal: bool, as_json: bool) -> None:
    """Suspend, restore and remind, one step of the ladder a day at most. Twice on a day sends nothing twice."""
    on = on_day.date() if on_day else clock.today()
    _ensure_ready()
    try:
        report = dunning_service.run(
            partial(_page, keeps=not is_rehearsal), on, clock.now, reference=reference
        )
    except dunning_service.UnknownAccount:
        raise click.ClickException(
            _text(_("Aucun compte n’a la référence %(reference)s."), reference=reference)
        ) from None
    if not is_rehearsal:
        mailing.deliver()
    if as_json:
        click.echo(json.dumps(report.facts(), ensure_ascii=False))
    else:
        _tell_reminders(report, is_rehearsal)
    if report.failed:
        raise SystemExit(1)


@click.command("measure")
@click.option("--month", type=click.DateTime(["%Y-%m"]), help="Measure this month, measured before or not.")
@click.option("--months", default=12, show_default=True, help="How many whole months back to look at.")
@with_appcontext
def measure(month: datetime | None, months: int) -> None:
    """Keep the recurring revenue at the end of each month that is over, and of yesterday, for the dashboard.

    Every night: months not measured yet, and the last one again for what was billed late. Measuring twice keeps once.
    """
    today = clock.today()
    if month is not None and revenue.last_day(month.date()) >= today:
        raise click.ClickException(_text(_("Ce mois n’est pas terminé.")))
    yesterday = today - timedelta(days=1)
    with _transaction() as session:
        ends = revenue.unmeasured(session, max(months, 1), today)
        revenue.forget(session, revenue.inside_months(session, yesterday))
    days = [revenue.last_day(month.date())] if month else sorted({*ends, yesterday})
    for day in days:
        with _transaction() as session:
            level = revenue.measure(session, day, clock.now())
        _say(
            _("%(day)s : %(amount)s HTVA par mois, %(count)s abonnements."),
            day=date_text(day, _locale()),
            amount=filters.money(level.money, _locale()),
            count=level.subscriptions,
        )
    with _transaction() as session:
        missing = revenue.unkept_moves(session)
    for since, until in missing:
        with _transaction() as session:
            revenue.keep_moves(session, since, until)


def _tell_reminders(report: dunning_service.Report, is_rehearsal: bool) -> None:
    for failure in report.failures:
        click.echo(f"{failure.account}: {failure.detail}", err=True)
    if is_rehearsal:
        _say(_("Répétition, rien n’a été écrit."))
    if report.is_bank_late:
        _say(_("Le dernier relevé de la banque est trop ancien : personne n’est suspendu avant le prochain."))
    _say(
        _(
            "Rappels au %(day)s : %(reminded)s envoyés, %(suspended)s comptes suspendus, %(restored)s rétablis, "
            "%(failed)s en échec."
        ),
        day=date_text(report.on, _locale()),
        reminded=report.reminded,
        suspended=report.suspended,
        restored=report.restored,
        failed=report.failed,
    )


def _link(endpoint: str, subscription_id: uuid.UUID) -> str:
    """A full address for a mail: a command has no request to take it from."""
    with current_app.test_request_context(base_url=current_app.extensions["portal_settings"].base_url):
        return url_for(endpoint, subscription_id=subscription_id, _external=True)


@contextmanager
def _transaction() -> Iterator[Session]:
    """The session of the command, committed at the end. Whatever goes wrong, nothing is written and it is said."""
    _ensure_ready()
    try:
        yield db.session()
        db.session.commit()
    except BrokenFile as broken:
        for line in _lines(broken):
            click.echo(line, err=True)
        raise click.ClickException(_text(_("Le fichier n’est pas valable ; rien n’a été écrit."))) from None
    except Refusal as refusal:
        raise click.ClickException(explain(refusal, _locale())) from None
    except SQLAlchemyError as error:
        detail = str(getattr(error, "orig", error))
        raise click.ClickException(
            _text(_("La base a refusé : %(detail)s. Rien n’a été écrit."), detail=detail)
        ) from error
    finally:
        db.session.rollback()


def _ensure_ready() -> None:
    if not inspect(db.engine).has_table("plans"):
        raise click.ClickException(
            _text(_("La base n’est pas prête. Lancez d’abord : flask --app wsgi db upgrade"))
        )


def _lines(broken: BrokenFile) -> Iterator[str]:
    """file:line: field: sentence, as editors and CI logs link them."""
    for problem in broken.problems:
        facts = {
            name: _text(value) if isinstance(value, Sentence) else value
            for name, value in problem.facts.items()
        }
        where = f"{broken.path}:{problem.line}: "
        yield where + (f"{problem.path}: " if problem.path else "") + t(_locale(), problem.message, **facts)


def _locale() -> str:
    return str(current_app.extensions["portal_settings"].default_locale)


def _text(sentence: str, **values: object) -> str:
    return t(_locale(), sentence, **values)


def _say(sentence: str, **values: object) -> None:
    click.echo(_text(sentence, **values))
