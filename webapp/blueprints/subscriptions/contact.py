"""Writing to those who answer: the operator, or the partner of a reseller's client."""

import uuid

from flask import flash, request, url_for
from flask.typing import ResponseReturnValue

from webapp import auth, clock, htmx
from webapp.auth import requires
from webapp.blueprints.subscriptions import bp
from webapp.blueprints.subscriptions.forms import ContactForm
from webapp.domain.access import May
from webapp.domain.refusals import KeyReused
from webapp.extensions import db
from webapp.i18n import _
from webapp.rendering import current_locale, render
from webapp.services import idempotency, scheduling, support
from webapp.services.wording import text
from webapp.transactions import commits


@bp.get("/contact")
@requires(May.CONTACT_SUPPORT)
def contact(subscription_id: uuid.UUID) -> ResponseReturnValue:
    """The form, with what will go with the message: the account, the plan, the page left."""
    form = ContactForm(formdata=None, page=auth.local_path(request.args.get("depuis")) or "")
    return _form(subscription_id, form)


@bp.post("/contact")
@requires(May.CONTACT_SUPPORT)
@commits
def send_message(subscription_id: uuid.UUID) -> ResponseReturnValue:
    """Send the message once, whatever the number of times the button is pressed."""
    visit, session, form, now = auth.current(), db.session(), ContactForm(), clock.now()
    if not form.validate_on_submit() or visit.account_id is None:
        return _form(subscription_id, form), 422
    page, message = auth.local_path(form.page.data) or "", str(form.message.data).strip()
    key, asked = str(form.idempotency_key.data), idempotency.request_hash(subscription_id, message)
    location = auth.local_path(form.page.data) or _home(subscription_id)
    scheduling.lock(session, subscription_id)
    try:
        sent_before = idempotency.replied(session, visit.account_id, key, asked)
    except KeyReused:  # the same page sent again with other words: another message
        key, sent_before = uuid.uuid4().hex, None
    if sent_before is None:
        sender = (visit.user_name, visit.user_email)
        support.write(session, subscription_id, message, sender, page, clock.today(), now, visit.actor)
        idempotency.remember(session, visit.account_id, key, asked, location, now)
    flash(_("Votre message est parti. La réponse arrivera par e-mail."), "good")
    return htmx.redirect_to(location)


def _home(subscription_id: uuid.UUID) -> str:
    """The page that everything else is reached from, for the role at hand."""
    endpoint = "invoices.index" if auth.current().showing.platform_invoices else "billing_details.edit"
    if auth.visit_allows(May.READ_SUBSCRIPTION):
        endpoint = ".overview"
    return url_for(endpoint, subscription_id=subscription_id)


def _form(subscription_id: uuid.UUID, form: ContactForm) -> str:
    context = support.context(db.session(), subscription_id, clock.today())
    return render(
        "subscriptions/contact.html",
        form=form,
        desk=context.desk,
        plan=text(context.plan_names, current_locale()),
        page=auth.local_path(form.page.data) or "",
        key=uuid.uuid4().hex,
        subscription_id=subscription_id,
        back=_home(subscription_id),
    )
