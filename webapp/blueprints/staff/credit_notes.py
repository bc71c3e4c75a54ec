"""Credit notes, on the operator's side: choose, see the very document, confirm with a reason."""

import uuid

from flask import abort, flash, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import MultiDict

from webapp import clock, confirming
from webapp.auth import requires
from webapp.blueprints.staff import bp
from webapp.blueprints.staff.forms import ConfirmCreditForm, CreditForm, as_money
from webapp.confirming import Given
from webapp.domain.access import May
from webapp.domain.refusals import Refusal
from webapp.extensions import db
from webapp.filters import money
from webapp.i18n import _, explain
from webapp.models.invoices import Invoice
from webapp.rendering import current_locale, render, say
from webapp.services import credit_notes
from webapp.services.credit_notes import CreditPreview, InvoiceNotFound, MoreThanLeft, NothingToCredit, Wish
from webapp.transactions import commits


@bp.get("/factures/<number>/avoir")
@requires(May.CORRECT_MONEY)
def credit(number: str) -> ResponseReturnValue:
    """The lines with what is left of each; once something is chosen, the credit note it would be. Nothing is written."""
    return _page(_invoice(number))


@bp.post("/factures/<number>/avoir")
@requires(May.CORRECT_MONEY)
@commits
def confirm_credit(number: str) -> ResponseReturnValue:
    """Issue what was shown, once; if something moved, show the new amounts instead."""
    invoice = _invoice(number)
    form, chosen = ConfirmCreditForm(), CreditForm(request.form, meta={"csrf": False})
    if not form.validate_on_submit() or not chosen.validate() or invoice.subscription_id is None:
        return _page(invoice, form, 422)
    wish, reason = _wish(chosen, invoice), str(form.reason.data).strip()

    def act(given: Given) -> str:
        note = credit_notes.issue(
            given.session, number, wish, given.fingerprint, reason, given.today, given.now, given.actor
        )
        flash(say("La note de crédit %(number)s est émise.", number=note.number), "good")
        return url_for(".credit", number=number)

    def refused(_subscription_id: uuid.UUID, refusal: Refusal) -> ResponseReturnValue:
        form.form_errors.append(explain(refusal, current_locale()))
        return _page(invoice, form, 409)

    try:
        return confirming.once(
            invoice.subscription_id,
            form,
            ("credit", number, reason),
            act,
            show=lambda status: _page(invoice, form, status, is_stale=status == 409),
            refuse=refused,
            account_id=invoice.account_id,
        )
    except (NothingToCredit, MoreThanLeft):  # its page says which, beside what was chosen
        db.session().rollback()
        return _page(invoice, form, 422)


def _invoice(number: str) -> Invoice:
    try:
        return credit_notes.find(db.session(), number)
    except InvoiceNotFound:
        abort(404)


def _wish(form: CreditForm, invoice: Invoice) -> Wish:
    """What the form asks for: an amount is taken from the lines ticked, or from all of them."""
    ticked = frozenset(form.lines.data or ())
    amount = as_money(form.amount.data, invoice.currency) if form.scope.data == "amount" else None
    if form.scope.data == "full":
        return Wish()
    return Wish(amount, ticked if form.scope.data == "lines" else ticked or None)


def _page(
    invoice: Invoice, confirmation: ConfirmCreditForm | None = None, status: int = 200, is_stale: bool = False
) -> ResponseReturnValue:
    session = db.session()
    asked: MultiDict[str, str] = request.form if request.method == "POST" else request.args
    form = CreditForm(asked or None, meta={"csrf": False})
    shown: CreditPreview | None = None
    if asked.get("scope") and form.validate():
        try:
            shown = credit_notes.preview(session, invoice.number, _wish(form, invoice), clock.today())
        except NothingToCredit:
            form.form_errors.append(
                _("Il n’y a rien à créditer : choisissez une ligne dont il reste un montant.")
            )
        except MoreThanLeft as refused:
            left = money(refused.left, current_locale())
            form.form_errors.append(
                say("C’est trop : il reste %(amount)s HTVA à créditer sur ces lignes.", amount=left)
            )
    page = render(
        "staff/credit.html",
        invoice=invoice,
        lines=credit_notes.lines_of(session, invoice),
        form=form,
        shown=shown,
        confirmation=confirmation or ConfirmCreditForm(formdata=None),
        key=confirming.new_key(),
        is_stale=is_stale,
    )
    return page, status
