"""The dashboard of the team: recurring revenue and how it moves, what is unpaid, which terms end, what is in use (S5)."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction

from flask import Response, abort, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from webapp import auth, clock
from webapp.adapters import sheet
from webapp.auth import requires
from webapp.bars import Bars, bars_of, percentage
from webapp.blueprints.staff import bp
from webapp.domain.access import May
from webapp.domain.money import Money
from webapp.domain.periods import boundary
from webapp.extensions import db
from webapp.i18n import Sentence, _
from webapp.rendering import current_locale, render, say
from webapp.services import dashboard as readings
from webapp.services import requests, revenue
from webapp.services.revenue import Level, Movement
from webapp.services.wording import text

MONTHS = 12  # of the picture
OLDEST = 36  # months that can be chosen, the present one included
HEIGHT = 270  # of the picture, in pixels
KINDS = {
    revenue.NEW: _("Nouveaux clients"),
    revenue.REACTIVATION: _("Retours"),
    revenue.EXPANSION: _("Hausses"),
    revenue.CONTRACTION: _("Baisses"),
    revenue.CHURN: _("Départs"),
}
AGES = (
    _("Pas encore échu"),
    _("1 à 30 jours"),
    _("31 à 60 jours"),
    _("61 à 90 jours"),
    _("Plus de 90 jours"),
)
RENEWALS = {
    "same_term": _("Reconduit pour la même durée"),
    "monthly": _("Continue sans engagement"),
    "ends": _("S’arrête"),
}


@dataclass(frozen=True, slots=True)
class Moves:
    """One kind of movement over all resellers; `width` is its place on the picture, as a percentage."""

    kind: str
    words: Sentence
    count: int
    difference: Money
    width: str


@dataclass(frozen=True, slots=True)
class Slice:
    """One age of what is unpaid; `x` and `width` are percentages."""

    words: Sentence
    unpaid: readings.Unpaid
    x: str
    width: str


@dataclass(frozen=True, slots=True)
class Channel:
    """Those of one reseller, or those that buy directly (`name` None)."""

    name: str | None
    count: int
    money: Money
    difference: Money


@dataclass(frozen=True, slots=True)
class Picture:
    """The revenue of the month chosen."""

    month: date
    since: Level
    until: Level
    levels: list[Level]  # the ends of twelve months, oldest first
    chart: Bars
    movements: list[Movement]

    @property
    def difference(self) -> Money:
        return self.until.money - self.since.money

    @property
    def percentage(self) -> str | None:
        """Of the month before, signed by what it shows, to a tenth; None from nothing."""
        if not self.since.twelfths:
            return None
        change = Fraction(abs(self.until.twelfths - self.since.twelfths) * 1000, abs(self.since.twelfths))
        tenths = round(change)
        return f"{tenths // 10}.{tenths % 10}"

    def count(self, *kinds: str) -> int:
        return sum(each.count for each in self.movements if each.kind in kinds)


@bp.get("/tableau-de-bord")
@requires(May.STAFF)
def dashboard() -> ResponseReturnValue:
    """The month chosen in the address, the present one without; what is unpaid and what comes are of today."""
    session, today = db.session(), clock.today()
    month = _month(today)
    picture = _picture(session, month, today)
    ages, suspended = readings.unpaid(session, today)
    overdue, helps = ages[1:], auth.visit_allows(May.HELP_ACCOUNTS)
    return render(
        "staff/dashboard.html",
        picture=picture,
        moves=_moves(picture.movements),
        channels=_channels(picture.movements),
        slices=_slices(ages),
        open_total=sum((each.left for each in ages), Money(0, revenue.CURRENCY)),
        overdue_total=sum((each.left for each in overdue), Money(0, revenue.CURRENCY)),
        overdue_count=sum(each.count for each in overdue),
        suspended=suspended,
        ahead=readings.ahead(session, today),
        ahead_until=today + timedelta(days=readings.AHEAD - 1),
        renewals=RENEWALS,
        options=[
            (
                text(each.names, current_locale()),
                each,
                _share(each.subscriptions, picture.until.subscriptions),
            )
            for each in readings.adoption(session, today)
        ],
        today=today,
        requests=requests.waiting(session) if helps else None,
        months=[boundary(today.replace(day=1), -back) for back in range(OLDEST)],
        helps=helps,
    )


@bp.get("/tableau-de-bord/mouvements")
@requires(May.HELP_ACCOUNTS)
def dashboard_movements() -> ResponseReturnValue:
    """The accounts behind one movement, or behind all, the greatest difference first."""
    session, today = db.session(), clock.today()
    month, number = _month(today), max(request.args.get("page", 1, type=int), 1)
    kind = request.args.get("genre")
    if kind is not None and kind not in KINDS:
        abort(404)
    since, until = _edges(session, month, today)
    rows = revenue.moved(session, since, until, kind, number)

    def address(page: int) -> str:
        return url_for(".dashboard_movements", mois=f"{month:%Y-%m}", genre=kind, page=page)

    return render(
        "staff/dashboard_movements.html",
        rows=rows[: revenue.PAGE],
        kinds=KINDS,
        kind=kind,
        month=month,
        since=since,
        until=until,
        number=number,
        pages=[(each, address(each), each == number) for each in range(max(1, number - 2), number + 1)],
        next_page=address(number + 1) if len(rows) > revenue.PAGE else "",
    )


# ── As files ─────────────────────────────────────────────────────────────────────────────────────────────────────

Rows = Iterable[Sequence[sheet.Cell]]
File = tuple[tuple[Sentence, ...], Callable[[Session, date, date], Rows]]


def _revenue_rows(session: Session, month: date, today: date) -> Rows:
    for level in _levels(session, _days(month, today), today):
        yield level.on_day, level.money, level.subscriptions


def _reseller_rows(session: Session, month: date, today: date) -> Rows:
    for each in _channels(revenue.movements(session, *_edges(session, month, today))):
        yield each.name or say(_("En direct")), each.count, each.money, each.difference


def _option_rows(session: Session, month: date, today: date) -> Rows:
    for each in readings.adoption(session, today):
        yield each.code, text(each.names, current_locale()), each.subscriptions, each.units


def _age_rows(session: Session, month: date, today: date) -> Rows:
    for words, each in zip(AGES, readings.unpaid(session, today)[0], strict=True):
        yield say(words), each.count, each.left


def _movement_rows(session: Session, month: date, today: date) -> Rows:
    for each in revenue.moved(session, *_edges(session, month, today)):
        yield each.reference, each.name, say(KINDS[each.kind]), each.before, each.after, each.difference


def _unpaid_rows(session: Session, month: date, today: date) -> Rows:
    for each in readings.owed(session, today):
        yield (
            each.number, each.reference, each.name, each.issued_on, each.payable_until, say(AGES[each.age]), each.left
        )  # fmt: skip


def _term_rows(session: Session, month: date, today: date) -> Rows:
    for each in readings.ahead(session, today, most=None).endings:
        last_day = each.term_ends_on - timedelta(days=1)
        yield each.reference, each.name, each.last_notice_day, last_day, say(RENEWALS[each.renewal])


TOTALS: dict[str, File] = {
    "revenu": ((_("Jour"), _("Revenu mensuel récurrent, HTVA"), _("Abonnements")), _revenue_rows),
    "revendeurs": ((_("Revendeur"), _("Abonnements"), _("Revenu mensuel récurrent, HTVA"), _("Variation")), _reseller_rows),
    "options": ((_("Code"), _("Option"), _("Abonnements"), _("Unités")), _option_rows),
    "anciennete": ((_("Ancienneté"), _("Factures"), _("TVAC")), _age_rows),
}  # fmt: skip
ACCOUNTS: dict[str, File] = {
    "mouvements": ((_("Référence"), _("Client"), _("Mouvement"), _("Avant"), _("Après"), _("Variation")), _movement_rows),
    "impayes": (
        (_("Facture"), _("Référence"), _("Client"), _("Date"), _("Échéance"), _("Ancienneté"), _("Reste, TVAC")), _unpaid_rows,
    ),
    "echeances": (
        (_("Référence"), _("Client"), _("Dernier jour de préavis"), _("Dernier jour d’engagement"), _("Ensuite")), _term_rows,
    ),
}  # fmt: skip


@bp.get("/tableau-de-bord/<name>.csv")
@requires(May.STAFF)
def dashboard_csv(name: str) -> ResponseReturnValue:
    """The totals behind one picture."""
    return _file(TOTALS, name)


@bp.get("/tableau-de-bord/comptes/<name>.csv")
@requires(May.HELP_ACCOUNTS)
def dashboard_accounts_csv(name: str) -> ResponseReturnValue:
    """The accounts or the invoices behind one picture."""
    return _file(ACCOUNTS, name)


def _file(files: dict[str, File], name: str) -> Response:
    if name not in files:
        abort(404)
    header, rows = files[name]
    today = clock.today()
    month = _month(today)
    content = "".join(sheet.sheet([say(word) for word in header], rows(db.session(), month, today)))
    filename = f"{name}-{month:%Y-%m}.csv"
    return Response(
        content,
        mimetype="text/csv",
        headers={"Content-Disposition": f'attachment; filename="{filename}"'},
    )


# ── Places on the pictures ───────────────────────────────────────────────────────────────────────────────────────


def _month(today: date) -> date:
    """The first day of the month asked for, as 2026-11; a month to come, or none, is the present one."""
    present = today.replace(day=1)
    try:
        asked = date.fromisoformat(f"{request.args.get('mois', '')}-01")
    except ValueError:
        return present
    return min(max(asked, boundary(present, -OLDEST + 1)), present)


def _days(month: date, today: date) -> list[date]:
    """The ends of the months of the picture, oldest first; of the present month, today."""
    ends = [revenue.last_day(boundary(month, -back)) for back in range(MONTHS - 1, -1, -1)]
    return [min(end, today) for end in ends]


def _edges(session: Session, month: date, today: date) -> tuple[Level, Level]:
    since, until = _levels(session, _days(month, today)[-2:], today)
    return since, until


def _levels(session: Session, days: Sequence[date], today: date) -> list[Level]:
    """Of today, what the night has kept of yesterday: among many accounts, today takes seconds to work out."""
    return revenue.levels(session, days, today, may_be_of_yesterday=True)


def _picture(session: Session, month: date, today: date) -> Picture:
    levels = _levels(session, _days(month, today), today)
    since, until = levels[-2:]
    chart = bars_of([(level.on_day, level.money, level.twelfths) for level in levels], HEIGHT)
    return Picture(month, since, until, levels, chart, revenue.movements(session, since, until))


def _moves(movements: Sequence[Movement]) -> list[Moves]:
    found = []
    for kind in KINDS:
        of_kind = [each for each in movements if each.kind == kind]
        before, after = revenue.total_of(of_kind)
        found.append((kind, sum(each.count for each in of_kind), revenue.in_cents(after - before)))
    widest = max(1, *(abs(difference.cents) for _kind, _count, difference in found))
    return [
        Moves(kind, KINDS[kind], count, difference, percentage(Fraction(100 * abs(difference.cents), widest)))
        for kind, count, difference in found
    ]


def _channels(movements: Sequence[Movement]) -> list[Channel]:
    """Those that buy directly first, then each reseller."""
    names = sorted({each.reseller for each in movements}, key=lambda name: (name is not None, name or ""))
    found = []
    for name in names:
        of_name = [each for each in movements if each.reseller == name]
        before, after = revenue.total_of(of_name)
        count = sum(each.count for each in of_name if each.kind != revenue.CHURN)
        found.append(Channel(name, count, revenue.in_cents(after), revenue.in_cents(after - before)))
    return found


def _slices(ages: Sequence[readings.Unpaid]) -> list[Slice]:
    whole = max(1, sum(each.left.cents for each in ages))
    found, reached = [], Fraction(0)
    for words, each in zip(AGES, ages, strict=True):
        width = Fraction(100 * each.left.cents, whole)
        found.append(Slice(words, each, percentage(reached), percentage(width)))
        reached += width
    return found


def _share(part: int, whole: int) -> str:
    return percentage(Fraction(100 * min(part, whole), max(1, whole)))
