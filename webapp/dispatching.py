"""`flask send-documents`: electronic documents are made, checked, handed to the access point and followed, by a timer."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import click
from flask import Flask, current_app
from flask.cli import with_appcontext
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from webapp import clock
from webapp.adapters.access_point import Download, access_point_for
from webapp.config import Settings
from webapp.services import dispatch
from webapp.services.dispatch import Round
from webapp.transactions import own_transaction

if TYPE_CHECKING:
    from webapp.adapters.peppol_rules import Rules

PAGE = 100  # documents of one question to the database


@dataclass
class Report:
    """What a run did. `made`, `checked`, `queued`, `sent` and `followed` count what moved on in each step."""

    rules: str | None = None
    made: Round = field(default_factory=Round)
    checked: Round = field(default_factory=Round)
    queued: Round = field(default_factory=Round)
    sent: Round = field(default_factory=Round)
    followed: Round = field(default_factory=Round)

    @property
    def to_look_at(self) -> int:
        """Documents that this run leaves to people: not made, held, given up, or refused."""
        return self.made.closed + self.checked.closed + self.sent.closed + self.followed.closed


def init_app(app: Flask) -> None:
    app.cli.add_command(send_documents)


@click.command("send-documents")
@click.option("--limit", type=click.IntRange(min=1), help="At most so many documents in each step.")
@click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON.")
@with_appcontext
def send_documents(limit: int | None, as_json: bool) -> None:
    """Make the files of new documents, check them by the official rules, send them on Peppol, ask what became of them.

    Meant for a timer, every few minutes. Killed and started again, or started twice at once, it sends nothing twice.
    """
    try:
        report = _run(limit)
    except SQLAlchemyError as error:
        detail = str(getattr(error, "orig", error))
        raise click.ClickException(
            f"the database refused: {detail}. What was done is kept; run the same command again"
        ) from error
    _tell(report, as_json)
    if report.to_look_at:
        raise SystemExit(1)


def _run(limit: int | None) -> Report:
    settings: Settings = current_app.extensions["portal_settings"]
    report = Report()
    report.made = _make(limit)
    rules = _rules_if_needed(settings)
    if rules is not None:
        report.rules = rules.version
        report.checked = _all(partial(dispatch.check, own_transaction, rules, clock.now), limit)
    access_point = access_point_for(settings)
    if isinstance(access_point, Download):
        return report
    line_up = partial(
        dispatch.line_up,
        own_transaction,
        clock.now(),
        clock.today(),
        may_be_unchecked=settings.sends_unchecked,
    )
    report.queued = _all(line_up, limit)
    report.sent = _all(partial(dispatch.send, own_transaction, access_point, clock.now), limit)
    report.followed = _all(partial(dispatch.follow, own_transaction, access_point, clock.now), limit)
    return report


def _make(limit: int | None) -> Round:
    reading = current_app.extensions["portal_reading"]
    after = 0

    def step(limit: int) -> Round:
        nonlocal after
        made, after = dispatch.make_files(lambda: Session(reading), own_transaction, clock.now, after, limit)
        return made

    return _all(step, limit)


def _rules_if_needed(settings: Settings) -> "Rules | None":
    """The rules, when there is something to check: they take a second and 200 MB."""
    if settings.peppol_rules_folder is None:
        return None
    with own_transaction() as session:
        if not dispatch.to_check(session, limit=1):
            return None
    from webapp.adapters.peppol_rules import RulesUnusable, rules_of

    try:
        return rules_of(settings.peppol_rules_folder)
    except RulesUnusable as wrong:
        raise click.ClickException(f"PEPPOL_RULES_FOLDER: {wrong}. Nothing was sent") from None


def _all(step: Callable[..., Round], limit: int | None) -> Round:
    """One step, page after page until nothing is left for it or `limit` is reached."""
    moved = waiting = closed = 0
    while limit is None or moved + waiting + closed < limit:
        room = PAGE if limit is None else min(PAGE, limit - moved - waiting - closed)
        done = step(limit=room)
        if done == Round():
            break
        moved, waiting, closed = moved + done.moved, waiting + done.waiting, closed + done.closed
    return Round(moved, waiting, closed)


def _tell(report: Report, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(asdict(report) | {"to_look_at": report.to_look_at}, ensure_ascii=False))
        return
    settings: Settings = current_app.extensions["portal_settings"]
    click.echo(f"{report.made.moved} made, {report.made.closed} could not be made")
    if settings.peppol_rules_folder is None:
        leaves = "they leave unchecked" if settings.sends_unchecked else "nothing new leaves"
        click.echo(f"not checked: PEPPOL_RULES_FOLDER is not set, {leaves}")
    else:
        click.echo(f"{report.checked.moved} right by the rules, {report.checked.closed} held")
    if settings.access_point == "download":
        click.echo("not sent: PEPPOL_ACCESS_POINT is download, people hand documents over")
        return
    click.echo(f"{report.queued.moved} put in line")
    sent, followed = report.sent, report.followed
    click.echo(f"{sent.moved} sent, {sent.waiting} to be tried again, {sent.closed} given up")
    click.echo(f"{followed.moved} delivered, {followed.waiting} on their way, {followed.closed} refused")
