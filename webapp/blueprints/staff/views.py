"""Quotations, on the operator's side: read the request, answer with a price."""

from datetime import timedelta

from flask import abort, url_for
from flask.typing import ResponseReturnValue

from webapp import auth, clock, navigation
from webapp.auth import requires
from webapp.blueprints.staff import bp
from webapp.blueprints.staff.forms import AnswerForm, as_money
from webapp.domain.access import May
from webapp.domain.refusals import Refusal
from webapp.extensions import db
from webapp.htmx import redirect_to
from webapp.i18n import explain
from webapp.rendering import current_locale, render
from webapp.services import quotations
from webapp.services.quotations import QuotationNotFound
from webapp.services.wording import text
from webapp.transactions import commits

VALID_FOR = timedelta(days=30)  # proposed, and changed at will


@bp.get("/")
@requires(May.STAFF)
def home() -> ResponseReturnValue:
    """To the first page that this place in the team opens."""
    return redirect_to(navigation.team_home(auth.current()) or url_for(".quotation_list"))


@bp.get("/devis")
@requires(May.STAFF)
def quotation_list() -> ResponseReturnValue:
    """What is to be answered, then what was."""
    locale = current_locale()
    rows = [(each, text(each.option_names, locale)) for each in quotations.requests(db.session())]
    return render("staff/quotations.html", rows=rows, today=clock.today())


@bp.get("/devis/<int:quotation_id>")
@requires(May.STAFF)
def quotation(quotation_id: int) -> ResponseReturnValue:
    """The request, and the form of the answer."""
    return _page(quotation_id)


@bp.post("/devis/<int:quotation_id>")
@requires(May.STAFF)
@commits
def answer_quotation(quotation_id: int) -> ResponseReturnValue:
    """Give a price; the owners are told by mail."""
    session, form = db.session(), AnswerForm()
    if not form.validate_on_submit() or form.valid_until.data is None:
        return _page(quotation_id, form, 422)
    try:
        asked = quotations.get_request(session, quotation_id)
        subscription = asked.quotation.subscription
        quotations.answer(
            session,
            quotation_id,
            as_money(form.monthly.data, subscription.currency),
            as_money(form.annual.data, subscription.currency),
            str(form.message.data).strip(),
            form.valid_until.data,
            clock.today(),
            clock.now(),
            auth.current().staff_actor,
            link=url_for(
                "options.quotation",
                subscription_id=subscription.id,
                quotation_id=quotation_id,
                _external=True,
            ),
        )
    except QuotationNotFound:
        abort(404)
    except Refusal as refusal:
        form.form_errors.append(explain(refusal, current_locale()))
        return _page(quotation_id, form, 422)
    return redirect_to(url_for(".quotation_list"))


def _page(quotation_id: int, form: AnswerForm | None = None, status: int = 200) -> ResponseReturnValue:
    session, today = db.session(), clock.today()
    try:
        asked = quotations.get_request(session, quotation_id)
    except QuotationNotFound:
        abort(404)
    page = render(
        "staff/quotation.html",
        asked=asked,
        quotation=asked.quotation,
        option=text(asked.option_names, current_locale()),
        form=form or AnswerForm(data={"valid_until": today + VALID_FOR}),
        is_open=asked.quotation.status in quotations.OPEN,
    )
    return page, status
