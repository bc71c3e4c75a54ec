"""The bank, on the operator's side: what it sent, what nobody recognised, what it is asked to collect."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from flask import Response, abort, flash, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from webapp import auth, banking, clock
from webapp.adapters.bank_errors import BrokenStatement
from webapp.auth import requires
from webapp.blueprints.staff import bp
from webapp.blueprints.staff.bank_forms import (
    AssignForm,
    BankFileForm,
    BatchForm,
    ButtonForm,
    IgnoreForm,
    ReturnForm,
)
from webapp.domain.access import May
from webapp.domain.money import Money
from webapp.extensions import db
from webapp.htmx import redirect_to
from webapp.i18n import Sentence, _
from webapp.models.payments import BankEntry
from webapp.rendering import current_locale, render, say
from webapp.services import bank_files as files
from webapp.services import debit_batches, unmatched
from webapp.services.bank_reasons import reason_text
from webapp.services.debit_batches import BatchNotFound, ChangedSince
from webapp.services.unmatched import EntryNotFound
from webapp.transactions import commits

MOST = 2000  # movements of a file read while somebody waits
# The filter of movements, as addresses and people name them. The first is what is shown when nothing is asked.
FILTERS: dict[str, tuple[Sentence, tuple[str, ...]]] = {
    "a-rapprocher": (_("À rapprocher"), ("unmatched",)),
    "alertes": (_("Alertes"), ("alert",)),
    "rapproches": (_("Rapprochés"), ("matched",)),
    "ecartes": (_("Écartés"), ("ignored",)),
}
DECIDED = _("Quelqu’un a déjà décidé de ce mouvement. Rien n’a été fait.")


@dataclass(frozen=True, slots=True)
class Shown:
    """A movement, as lists and its page say it."""

    entry: BankEntry
    client: str
    reference: str
    reason: str

    @property
    def amount(self) -> Money:
        return Money(self.entry.amount_cents, self.entry.currency)

    @property
    def account(self) -> str:
        """The other party's bank account, masked."""
        return f"•••• {self.entry.counterpart_last_four}" if self.entry.counterpart_last_four else ""


@dataclass(frozen=True, slots=True)
class Pages:
    """The pages of a list, for `pagination`."""

    first: int
    last: int
    count: int
    pages: list[tuple[int, str, bool]]
    next_page: str


# ── Files ────────────────────────────────────────────────────────────────────────────────────────────────────────


@bp.get("/banque")
@requires(May.HELP_ACCOUNTS)
def bank_files() -> ResponseReturnValue:
    """What the bank sent, newest first, and the form of the next file."""
    return _files(BankFileForm())


@bp.post("/banque")
@requires(May.CORRECT_MONEY)
@commits
def bank_upload() -> ResponseReturnValue:
    """Read a file and do what it says; read before, it changes nothing."""
    form = BankFileForm()
    if not form.validate_on_submit():
        return _files(form, 422)
    given = form.file.data
    if not given or not given.filename:
        form.file.errors = [_("Choisissez un fichier.")]
        return _files(form, 422)
    session = db.session()

    @contextmanager
    def transaction() -> Iterator[Session]:
        yield session  # one for the whole file: `commits` keeps it
        session.flush()

    with tempfile.NamedTemporaryFile() as copy:
        given.save(copy)
        copy.flush()
        try:
            report = files.take_in(
                transaction,
                Path(copy.name),
                given.filename,
                banking.accounts_vault(),
                clock.today(),
                clock.now,
                auth.current().staff_actor,
                banking.links(),
                most=MOST,
            )
        except BrokenStatement as broken:
            form.file.errors = [banking.BROKEN[broken.code]]
            return _files(form, 422)
        except files.TooLong:
            form.file.errors = [
                _("Ce fichier compte plus de 2000 mouvements : lisez-le avec la commande flask bank-file.")
            ]
            return _files(form, 422)
    if report.is_known:
        flash(_("Ce fichier a déjà été lu. Rien n’a changé."), "warn")
    else:
        flash(
            say(
                "Fichier lu. Mouvements nouveaux : %(new)s ; rapprochés : %(matched)s ; à regarder : %(waiting)s.",
                new=report.new,
                matched=report.matched,
                waiting=report.states.get("unmatched", 0),
            ),
            "good",
        )
    return redirect_to(url_for(".bank_file", file_id=report.file_id))


@bp.get("/banque/fichiers/<int:file_id>")
@requires(May.HELP_ACCOUNTS)
def bank_file(file_id: int) -> ResponseReturnValue:
    """One file and its movements."""
    session = db.session()
    found = unmatched.file(session, file_id)
    if found is None:
        abort(404)
    number = max(1, request.args.get("page", 1, type=int))
    rows, count = unmatched.entries(session, unmatched.STATES, file_id=file_id, page=number)
    return render(
        "staff/bank_file.html",
        file=found,
        rows=[_shown(*row) for row in rows],
        counts=unmatched.counts(session, file_id),
        pages=_pages(number, count, len(rows), ".bank_file", file_id=file_id),
        tabs=_tabs("fichiers"),
    )


def _files(form: BankFileForm, status: int = 200) -> ResponseReturnValue:
    number = max(1, request.args.get("page", 1, type=int))
    rows, count = unmatched.files(db.session(), number)
    page = render(
        "staff/bank_files.html",
        form=form,
        rows=rows,
        pages=_pages(number, count, len(rows), ".bank_files"),
        tabs=_tabs("fichiers"),
        may_act=auth.visit_allows(May.CORRECT_MONEY),
    )
    return page, status


# ── Movements ────────────────────────────────────────────────────────────────────────────────────────────────────


@bp.get("/banque/mouvements")
@requires(May.HELP_ACCOUNTS)
def bank_entries() -> ResponseReturnValue:
    """The movements by state: those that nobody recognised first."""
    chosen = request.args.get("etat", "")
    chosen = chosen if chosen in FILTERS else next(iter(FILTERS))
    number = max(1, request.args.get("page", 1, type=int))
    session = db.session()
    rows, count = unmatched.entries(session, FILTERS[chosen][1], page=number)
    counts = unmatched.counts(session)
    return render(
        "staff/bank_entries.html",
        rows=[_shown(*row) for row in rows],
        chosen=chosen,
        choices=[(value, words, counts.get(states[0], 0)) for value, (words, states) in FILTERS.items()],
        pages=_pages(number, count, len(rows), ".bank_entries", etat=chosen),
        tabs=_tabs("mouvements"),
    )


@bp.get("/banque/mouvements/<int:entry_id>")
@requires(May.HELP_ACCOUNTS)
def bank_entry(entry_id: int) -> ResponseReturnValue:
    """One movement, what it may be, and what to do of it."""
    return _entry(entry_id)


@bp.post("/banque/mouvements/<int:entry_id>/rapprocher")
@requires(May.CORRECT_MONEY)
@commits
def bank_assign(entry_id: int) -> ResponseReturnValue:
    """The money is for that invoice."""
    form = AssignForm()
    if not form.validate_on_submit():
        return _entry(entry_id, status=422)
    actor = auth.current().staff_actor
    try:
        unmatched.assign(db.session(), entry_id, str(form.number.data), clock.today(), clock.now(), actor)
    except EntryNotFound:
        return _decided(entry_id)
    except (LookupError, ValueError):
        return _entry(
            entry_id, status=422, wrong=_("Cette facture n’existe pas, ou n’est pas dans cette devise.")
        )
    flash(say("Le paiement est rapproché de %(number)s.", number=str(form.number.data)), "good")
    return redirect_to(url_for(".bank_entry", entry_id=entry_id))


@bp.post("/banque/mouvements/<int:entry_id>/retour")
@requires(May.CORRECT_MONEY)
@commits
def bank_return(entry_id: int) -> ResponseReturnValue:
    """The money that left is that receipt's, given back."""
    form = ReturnForm()
    if not form.validate_on_submit():
        return _entry(entry_id, status=422)
    try:
        unmatched.assign_return(
            db.session(),
            entry_id,
            str(form.source.data),
            str(form.reason.data),
            clock.today(),
            clock.now(),
            auth.current().staff_actor,
            banking.links(),
        )
    except EntryNotFound:
        return _decided(entry_id)
    except LookupError:
        return _entry(entry_id, status=422, wrong=_("Ce paiement a déjà été rendu."))
    flash(_("Le retour est rapproché ; les factures payées par cet argent sont de nouveau ouvertes."), "good")
    return redirect_to(url_for(".bank_entry", entry_id=entry_id))


@bp.post("/banque/mouvements/<int:entry_id>/ecarter")
@requires(May.CORRECT_MONEY)
@commits
def bank_ignore(entry_id: int) -> ResponseReturnValue:
    """None of ours."""
    form = IgnoreForm()
    if not form.validate_on_submit():
        return _entry(entry_id, ignoring=form, status=422)
    try:
        unmatched.ignore(db.session(), entry_id, str(form.note.data), clock.now(), auth.current().staff_actor)
    except EntryNotFound:
        return _decided(entry_id)
    flash(_("Le mouvement est écarté."), "good")
    return redirect_to(url_for(".bank_entries"))


@bp.post("/banque/mouvements/<int:entry_id>/reprendre")
@requires(May.CORRECT_MONEY)
@commits
def bank_take_up(entry_id: int) -> ResponseReturnValue:
    """Undo what a person decided."""
    if not ButtonForm().validate_on_submit():
        return _entry(entry_id, status=422)
    try:
        unmatched.take_up_again(
            db.session(), entry_id, clock.today(), clock.now(), auth.current().staff_actor
        )
    except EntryNotFound:
        return _decided(entry_id)
    flash(_("Le mouvement attend de nouveau d’être rapproché."), "good")
    return redirect_to(url_for(".bank_entry", entry_id=entry_id))


def _decided(entry_id: int) -> ResponseReturnValue:
    """Two people at once, or a button pressed twice: the first one stands."""
    try:
        unmatched.get(db.session(), entry_id)
    except EntryNotFound:
        abort(404)
    flash(DECIDED, "warn")
    return redirect_to(url_for(".bank_entry", entry_id=entry_id))


def _entry(
    entry_id: int, *, ignoring: IgnoreForm | None = None, status: int = 200, wrong: Sentence | None = None
) -> ResponseReturnValue:
    session = db.session()
    try:
        entry, client, reference = unmatched.one(session, entry_id)
    except EntryNotFound:
        abort(404)
    typed = request.args.get("q", "")[:80]
    is_waiting = entry.state == "unmatched"
    page = render(
        "staff/bank_entry.html",
        row=_shown(entry, client, reference),
        file=unmatched.file(session, entry.file_id),
        candidates=unmatched.candidates(session, entry, banking.accounts_vault()) if is_waiting else [],
        found=unmatched.search(session, typed) if is_waiting and typed else [],
        returnables=unmatched.returnables(session, entry) if is_waiting else [],
        typed=typed,
        ignoring=ignoring or IgnoreForm(formdata=None),
        returning=ReturnForm(formdata=None, data={"reason": entry.reason_code or "MS03"}),
        wrong=[wrong] if wrong else [],
        is_waiting=is_waiting,
        may_ignore=entry.state in ("unmatched", "alert"),
        may_take_up=entry.resolved_by is not None
        and (entry.state == "ignored" or (entry.state == "matched" and entry.amount_cents > 0)),
        may_act=auth.visit_allows(May.CORRECT_MONEY),
    )
    return page, status


def _shown(entry: BankEntry, client: str | None, reference: str | None) -> Shown:
    reason = reason_text(entry.reason_code, current_locale()) if entry.reason_code else ""
    return Shown(entry, client or "", reference or "", reason)


# ── Direct debits ────────────────────────────────────────────────────────────────────────────────────────────────


@bp.get("/banque/prelevements")
@requires(May.HELP_ACCOUNTS)
def batches() -> ResponseReturnValue:
    """The next file, as it would be made now, and those made before."""
    return _batches()


@bp.post("/banque/prelevements")
@requires(May.CORRECT_MONEY)
@commits
def batch_make() -> ResponseReturnValue:
    """Write the file that was shown, once; if something moved, show what it would be now."""
    form = BatchForm()
    if not form.validate_on_submit():
        return _batches(422)
    try:
        batch = debit_batches.make(
            db.session(),
            clock.today(),
            clock.now(),
            banking.accounts_vault(),
            auth.current().staff_actor,
            fingerprint=str(form.preview.data),
        )
    except ChangedSince:
        return _batches(409, is_stale=True)
    if batch is None:
        flash(_("Il n’y a rien à prélever."), "warn")
        return redirect_to(url_for(".batches"))
    flash(say("Le fichier %(name)s est prêt à télécharger.", name=batch.message_id), "good")
    return redirect_to(url_for(".batch", name=batch.message_id))


@bp.get("/banque/prelevements/<name>")
@requires(May.HELP_ACCOUNTS)
def batch(name: str) -> ResponseReturnValue:
    """One file: its debits and what became of each."""
    session = db.session()
    try:
        found = debit_batches.get(session, name)
    except BatchNotFound:
        abort(404)
    number = max(1, request.args.get("page", 1, type=int))
    rows, count = debit_batches.debits(session, found, number)
    return render(
        "staff/batch.html",
        batch=found,
        total=Money(found.total_cents, found.currency),
        rows=[
            (collection, invoice_number, client, _reason_of(collection.reason_code))
            for collection, invoice_number, client in rows
        ],
        states=debit_batches.states(session, found),
        pages=_pages(number, count, len(rows), ".batch", size=debit_batches.PAGE_SIZE, name=name),
        may_act=auth.visit_allows(May.CORRECT_MONEY),
    )


@bp.post("/banque/prelevements/<name>")
@requires(May.CORRECT_MONEY)
@commits
def batch_file(name: str) -> ResponseReturnValue:
    """The file itself, the same bytes each time. It names bank accounts: who takes it is written down."""
    if not ButtonForm().validate_on_submit():
        abort(400)
    try:
        found = debit_batches.get(db.session(), name)
        content = debit_batches.download(
            db.session(), found, banking.accounts_vault(), clock.now(), auth.current().staff_actor
        )
    except BatchNotFound:
        abort(404)
    answer = Response(content, content_type="application/xml")
    answer.headers["Cache-Control"] = "no-store"
    answer.headers.set("Content-Disposition", "attachment", filename=f"{name}.xml")
    return answer


def _batches(status: int = 200, is_stale: bool = False) -> ResponseReturnValue:
    session = db.session()
    number = max(1, request.args.get("page", 1, type=int))
    rows, count = debit_batches.batches(session, number)
    page = render(
        "staff/batches.html",
        shown=debit_batches.preview(session, clock.today()),
        rows=[(each, Money(each.total_cents, each.currency)) for each in rows],
        pages=_pages(number, count, len(rows), ".batches", size=debit_batches.PAGE_SIZE),
        is_stale=is_stale,
        tabs=_tabs("prelevements"),
        may_act=auth.visit_allows(May.CORRECT_MONEY),
    )
    return page, status


def _reason_of(code: str | None) -> str:
    return reason_text(code, current_locale()) if code else ""


# ── Around ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _tabs(current: str) -> list[tuple[str, Sentence, str, bool]]:
    """The three lists of these pages, with how much waits."""
    waiting = unmatched.counts(db.session())
    looked_at = waiting.get("unmatched", 0) + waiting.get("alert", 0)
    return [
        (url_for(".bank_files"), _("Fichiers"), "", current == "fichiers"),
        (url_for(".bank_entries"), _("Mouvements"), str(looked_at or ""), current == "mouvements"),
        (url_for(".batches"), _("Prélèvements"), "", current == "prelevements"),
    ]


def _pages(
    number: int, count: int, shown: int, endpoint: str, size: int = unmatched.PAGE, **values: object
) -> Pages:
    last_page = max(1, -(-count // size))

    def address(page: int) -> str:
        return url_for(endpoint, page=page if page > 1 else None, **values)  # type: ignore[arg-type]

    near = sorted({1, *range(max(1, number - 2), min(last_page, number + 2) + 1), last_page})
    return Pages(
        first=(number - 1) * size + 1 if shown else 0,
        last=(number - 1) * size + shown,
        count=count,
        pages=[(page, address(page), page == number) for page in near] if last_page > 1 else [],
        next_page=address(number + 1) if number < last_page else "",
    )
