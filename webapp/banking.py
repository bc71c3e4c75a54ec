"""The bank by files: `flask collect` asks it for what is due, `flask bank-file` reads what it sends back."""

import json
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

import click
from flask import Flask, current_app, has_request_context, url_for
from flask.cli import with_appcontext
from sqlalchemy.exc import SQLAlchemyError

from webapp import clock, filters, mailing
from webapp.adapters.bank_errors import BrokenStatement
from webapp.adapters.pain008 import InvalidFile
from webapp.adapters.vault import Purpose, Vault
from webapp.config import Settings
from webapp.domain.access import SYSTEM
from webapp.domain.money import Money
from webapp.i18n import Sentence, _, date_text, t
from webapp.models.payments import DebitBatch
from webapp.services import bank_files, debit_batches, invoicing
from webapp.services.bank_files import Report
from webapp.services.collections import Links
from webapp.transactions import own_transaction
from webapp.vaults import vault

# Why a file of the bank is refused, for the pages and the command.
BROKEN: dict[str, Sentence] = {
    "empty": _("Ce fichier est vide."),
    "unknown_format": _("Ce fichier n’est ni un CODA, ni un camt.053, ni un camt.054, ni un pain.002."),
    "not_xml": _("Ce fichier XML est incomplet ou abîmé."),
    "doctype": _(
        "Ce fichier XML contient une définition de type, ce qu’aucune banque n’envoie : il est refusé."
    ),
    "not_coda": _("Ce fichier CODA contient une ligne qui ne se lit pas."),
    "cut": _("Ce fichier CODA est incomplet : il manque des lignes."),
    "totals": _("Les totaux de ce fichier CODA ne correspondent pas à ses mouvements."),
    "other_account": _("Ce fichier concerne un autre compte bancaire que le vôtre."),
    "amount": _("Un montant de ce fichier ne se lit pas."),
}


def init_app(app: Flask) -> None:
    app.cli.add_command(collect)
    app.cli.add_command(bank_file)


def accounts_vault() -> Vault:
    """What seals and opens the account numbers."""
    return vault(Purpose.BANK_ACCOUNTS)


def links() -> Links:
    """Where the mails about collections lead."""
    return Links(
        pay=lambda subscription_id, number: _whole(
            ("checkout.pay", {"facture": number}), ("invoices.show", {"number": number}), subscription_id
        ),
        method=lambda subscription_id: _whole(
            ("payment.edit", {}), ("subscriptions.overview", {}), subscription_id
        ),
        team=_whole(("staff.bank_files", {}), ("account.home", {})),
    )


def _whole(
    wanted: tuple[str, dict[str, str]],
    otherwise: tuple[str, dict[str, str]],
    subscription_id: uuid.UUID | None = None,
) -> str:
    """A whole address: of the page wanted, or of the other where that one is not built."""
    endpoint, values = wanted if wanted[0] in current_app.view_functions else otherwise
    if subscription_id is not None:
        values = {**values, "subscription_id": str(subscription_id)}
    if has_request_context():
        return url_for(endpoint, _external=True, **values)
    settings: Settings = current_app.extensions["portal_settings"]
    with current_app.test_request_context(base_url=settings.base_url):
        return url_for(endpoint, _external=True, **values)


# ── flask collect ────────────────────────────────────────────────────────────────────────────────────────────────


@click.command("collect")
@click.option(
    "--on", "on_day", type=click.DateTime(["%Y-%m-%d"]), help="Collect as on this day; today by default."
)
@click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON.")
@with_appcontext
def collect(on_day: datetime | None, as_json: bool) -> None:
    """Announce the debits that are near, and write the file of those that the bank must have now. Twice adds nothing.

    Meant for a timer, once a day, before the time at which the bank closes its day.
    """
    on = on_day.date() if on_day else clock.today()
    planned = failed = last = 0
    where = links()
    with _told():
        while True:
            with own_transaction() as session:
                ids = debit_batches.due(session, on, after=last)
            if not ids:
                break
            for invoice_id in ids:
                try:
                    with own_transaction() as session:
                        found = debit_batches.plan_due(session, invoice_id, on, clock.now(), where)
                        planned += found is not None
                except (ValueError, LookupError) as fault:  # one invoice keeps no other from being collected
                    failed += 1
                    click.echo(f"invoice {invoice_id}: {type(fault).__name__} {fault}", err=True)
            last = ids[-1]
        with own_transaction() as session:
            made = debit_batches.make(session, on, clock.now(), accounts_vault())
            batch = _facts(made) if made is not None else None
    mailing.deliver()
    if as_json:
        click.echo(json.dumps({"on": on.isoformat(), "planned": planned, "failed": failed, "batch": batch}))
    else:
        _say(_("Prélèvements au %(day)s : %(planned)s prévus, %(failed)s en échec."),
             day=date_text(on, _locale()), planned=planned, failed=failed)  # fmt: skip
        if batch is None:
            _say(_("Aucun fichier à envoyer à la banque."))
        else:
            _say(_("Fichier %(name)s : %(count)s prélèvements, %(total)s. À télécharger dans l’espace équipe, sous « Banque »."),
                 name=batch["name"], count=batch["count"], total=filters.money(Money(int(str(batch["total_cents"]))), _locale()))  # fmt: skip
    if failed:
        raise SystemExit(1)


def _facts(batch: DebitBatch) -> dict[str, object]:
    return {"name": batch.message_id, "count": batch.count, "total_cents": batch.total_cents}


# ── flask bank-file ──────────────────────────────────────────────────────────────────────────────────────────────


@click.command("bank-file")
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False)
)
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON per file.")
@with_appcontext
def bank_file(files: tuple[Path, ...], as_json: bool) -> None:
    """Read FILES of the bank (CODA, camt.053, camt.054, pain.002), settle and reopen what they say. Twice changes nothing.

    A broken file is refused whole and the others are read. Killed, the same command goes on from there.
    """
    broken = 0
    where = links()
    for file in files:
        try:
            with _told(), _progress() as bar:
                report = bank_files.take_in(
                    own_transaction,
                    file,
                    file.name,
                    accounts_vault(),
                    clock.today(),
                    clock.now,
                    SYSTEM,
                    where,
                    moved=lambda done, count, bar=bar: _move(bar, done, count),  # type: ignore[misc]
                )
        except BrokenStatement as error:
            broken += 1
            place = f"{file}:{error.line}" if error.line else str(file)
            click.echo(f"{place}: {_text(BROKEN[error.code])} {error.detail}".rstrip(), err=True)
            continue
        _tell(file, report, as_json)
    mailing.deliver()
    if broken:
        raise SystemExit(1)


def _tell(file: Path, report: Report, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"file": file.name, **asdict(report)}))
        return
    if report.is_known:
        _say(_("%(file)s : déjà lu, rien n’a changé."), file=file.name)
        return
    _say(
        _(
            "%(file)s : mouvements %(entries)s, nouveaux %(new)s, rapprochés %(matched)s, à regarder %(waiting)s."
        ),
        file=file.name,
        entries=report.entries,
        new=report.new,
        matched=report.matched,
        waiting=report.states.get("unmatched", 0) + report.states.get("alert", 0),
    )


@contextmanager
def _told() -> Iterator[None]:
    """What stops everything, in a sentence. What was done before is kept."""
    try:
        yield
    except invoicing.NoIssuer:
        raise click.ClickException(
            _text(_("Aucune société émettrice n’est connue : la banque ne peut rien dire d’elle."))
        ) from None
    except InvalidFile as error:
        raise click.ClickException(
            _text(
                _("Le fichier de prélèvements ne respecte pas son schéma (%(detail)s) ; rien n’est parti."),
                detail=error,
            )
        ) from None
    except debit_batches.UnreadableAccount as error:
        raise click.ClickException(
            _text(
                _(
                    "Aucune clé n’ouvre le compte du mandat %(reference)s : remettez l’ancienne dans SECRET_KEY_FALLBACKS."
                ),
                reference=error,
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


@contextmanager
def _progress() -> Iterator["click._termui_impl.ProgressBar[int]"]:
    with click.progressbar(length=1, file=sys.stderr, hidden=not sys.stderr.isatty()) as bar:
        yield bar


def _move(bar: "click._termui_impl.ProgressBar[int]", done: int, count: int) -> None:
    bar.length = max(done, count, 1)
    bar.update(done - bar.pos)


def _locale() -> str:
    return str(current_app.extensions["portal_settings"].default_locale)


def _text(sentence: Sentence, **values: object) -> str:
    return t(_locale(), sentence, **values)


def _say(sentence: Sentence, **values: object) -> None:
    click.echo(_text(sentence, **values))
