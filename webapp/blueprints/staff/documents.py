"""Electronic documents, on the operator's side: what is held, failed or refused first, and what to do about each."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from flask import Response, abort, current_app, flash, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session, undefer
from wtforms import HiddenField
from wtforms.validators import InputRequired, Length

from webapp import auth, clock, htmx
from webapp.auth import requires
from webapp.blueprints.staff import bp
from webapp.config import Settings
from webapp.domain.access import Actor, May
from webapp.extensions import db
from webapp.forms import PortalForm
from webapp.htmx import redirect_to
from webapp.i18n import Sentence, _
from webapp.models.documents import InvoiceDocument
from webapp.models.invoices import Invoice
from webapp.rendering import current_locale, render, say
from webapp.services import deliveries, rule_words
from webapp.services.deliveries import NotChecked, Sending, WrongState
from webapp.services.rule_words import Explained
from webapp.transactions import commits

# The filter of states, as addresses and people name them. The first is what is shown when nothing is asked.
FILTERS: dict[str, tuple[Sentence, tuple[str, ...]]] = {
    "a-traiter": (_("À traiter"), deliveries.TO_MEND),
    "retenues": (_("Retenues"), ("held",)),
    "non-remises": (_("Non remises"), ("failed",)),
    "refusees": (_("Refusées"), ("rejected",)),
    "non-verifiees": (_("Non vérifiées"), ("ready",)),
    "verifiees": (_("Vérifiées, à envoyer"), ("validated",)),
    "en-cours": (_("En cours d’envoi"), ("queued", "sent")),
    "remises": (_("Remises"), ("delivered",)),
    "toutes": (_("Toutes"), ()),
}


class Cause(NamedTuple):
    """Why a document is not with its receiver, and what to do about it."""

    sentence: Sentence
    mend: Sentence


CAUSES = {
    "receiver_unknown": Cause(
        _("Le destinataire n’est pas inscrit sur Peppol, ni sous son numéro d’entreprise ni sous son numéro de TVA."),
        _(
            "Si ses numéros sont justes, demandez-lui de s’inscrire auprès d’un point d’accès, puis renvoyez. S’ils sont "
            "faux, corrigez-les, créditez ce document et facturez à nouveau. Un e-mail ne remplace pas cet envoi."
        ),
    ),
    "refused": Cause(
        _("Le point d’accès n’a pas accepté le document."),
        _("Lisez sa réponse, corrigez-en la cause, puis renvoyez."),
    ),
    "no_answer": Cause(
        _("Le point d’accès n’a pas répondu, malgré huit essais en deux jours."),
        _("Vérifiez son adresse et sa clé dans les réglages, puis renvoyez : rien ne partira deux fois."),
    ),
    "lost_on_the_way": Cause(
        _("Le document est parti, mais n’est pas arrivé chez le destinataire."),
        _("Lisez la réponse du point d’accès, puis renvoyez : le document part alors comme un nouvel envoi."),
    ),
    "rejected": Cause(
        _("Le destinataire a refusé le document."),
        _("Contactez le client : s’il a raison, créditez et facturez à nouveau, sinon renvoyez."),
    ),
}  # fmt: skip


class DocumentForm(PortalForm):
    """A button: where the document stood when the page was shown."""

    seen = HiddenField(validators=[InputRequired(), Length(max=80)])


@dataclass(frozen=True, slots=True)
class Choice:
    value: str
    words: Sentence
    count: int
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class Row:
    """One document of the list, or of its own page. `cause` is None while nothing is wrong with its way."""

    sending: Sending
    findings: list[Explained]
    cause: Cause | None
    seen: str
    may_check: bool
    may_send: bool
    may_hand_over: bool

    @property
    def document(self) -> InvoiceDocument:
        return self.sending.document


@dataclass(frozen=True, slots=True)
class DocumentList:
    rows: list[Row]
    choices: list[Choice]
    chosen: str
    typed: str
    count: int
    first: int
    last: int
    pages: list[tuple[int, str, bool]]
    next_page: str
    settings: Settings


@bp.get("/documents")
@requires(May.HELP_ACCOUNTS)
def documents() -> ResponseReturnValue:
    """The list, by state; a filter that is not known shows what is to be looked at."""
    chosen = request.args.get("etat", "")
    chosen = chosen if chosen in FILTERS else next(iter(FILTERS))
    typed = " ".join(request.args.get("q", "").split())[:80]
    found = deliveries.listed(
        db.session(), FILTERS[chosen][1], typed, page=request.args.get("page", 1, type=int)
    )
    return htmx.page_or_fragment(
        "staff/documents.html",
        "staff/_documents.html",
        page=_list(found, chosen, typed),
        may_act=auth.visit_allows(May.CORRECT_MONEY),
    )


@bp.get("/documents/<number>")
@requires(May.HELP_ACCOUNTS)
def document(number: str) -> ResponseReturnValue:
    """One document: every finding, every moment of its way, its files."""
    found = deliveries.one(db.session(), number)
    if found is None:
        abort(404)
    may_act = auth.visit_allows(May.CORRECT_MONEY)
    return render("staff/document.html", row=_row(found), settings=_settings(), may_act=may_act)


@bp.get("/documents/<number>.<any(pdf, xml):kind>")
@requires(May.HELP_ACCOUNTS)
def document_file(number: str, kind: str) -> ResponseReturnValue:
    """The very file kept: to read it, or to hand it over by hand."""
    found = deliveries.one(
        db.session(), number, undefer(InvoiceDocument.pdf if kind == "pdf" else InvoiceDocument.ubl)
    )
    if found is None:
        abort(404)
    kept = found.document
    body, media_type = (kept.pdf, "application/pdf") if kind == "pdf" else (kept.ubl, "application/xml")
    headers = {"Content-Security-Policy": "default-src 'none'; sandbox", "X-Content-Type-Options": "nosniff"}
    answer = Response(body, content_type=media_type, headers=headers)
    answer.headers.set("Content-Disposition", "attachment", filename=f"{number}.{kind}")
    return answer


@bp.post("/documents/<number>/verification")
@requires(May.CORRECT_MONEY)
@commits
def check_document(number: str) -> ResponseReturnValue:
    """Ask for another check. It is made by the next round, which has the rules."""

    def ask(session: Session, invoice: Invoice, found: InvoiceDocument, actor: Actor) -> str:
        deliveries.check_again(session, invoice, found, actor, clock.now())
        return say("%(number)s sera vérifiée au prochain passage, dans quelques minutes.", number=number)

    return _ask(number, "ready", ask)


@bp.post("/documents/<number>/envoi")
@requires(May.CORRECT_MONEY)
@commits
def send_document(number: str) -> ResponseReturnValue:
    """Put it in line. It leaves with the next round."""

    def ask(session: Session, invoice: Invoice, found: InvoiceDocument, actor: Actor) -> str:
        may_be_unchecked = _settings().sends_unchecked
        deliveries.send_again(session, invoice, found, actor, clock.now(), may_be_unchecked=may_be_unchecked)
        return say("%(number)s partira au prochain passage, dans quelques minutes.", number=number)

    return _ask(number, "queued", ask)


@bp.post("/documents/<number>/remise")
@requires(May.CORRECT_MONEY)
@commits
def hand_over_document(number: str) -> ResponseReturnValue:
    """Note that somebody gave the file to the client, where no access point does."""

    def ask(session: Session, invoice: Invoice, found: InvoiceDocument, actor: Actor) -> str:
        if _settings().access_point != "download":
            raise WrongState(f"{number} leaves by the access point")
        deliveries.hand_over(session, invoice, found, actor, clock.now())
        return say("%(number)s est notée comme remise à la main.", number=number)

    return _ask(number, "delivered", ask)


def _ask(
    number: str, becomes: str, ask: Callable[[Session, Invoice, InvoiceDocument, Actor], str]
) -> ResponseReturnValue:
    """Do it once: a button pressed twice, or on a page that is behind, changes nothing and leads to the document."""
    session, form = db.session(), DocumentForm()
    found = deliveries.find(session, number)
    if found is None:
        abort(404)
    back = redirect_to(url_for(".document", number=number))
    invoice, kept = found
    if not form.validate_on_submit() or form.seen.data != deliveries.seen(kept):
        if kept.state != becomes:
            flash(_("Ce document a changé d’état entre-temps. Rien n’a été fait."), "warn")
        return back
    try:
        flash(ask(session, invoice, kept, auth.current().staff_actor), "good")
    except NotChecked:
        flash(
            _(
                "Ce document n’est pas vérifié : il ne part qu’après sa vérification par les règles officielles "
                "(PEPPOL_RULES_FOLDER)."
            ),
            "warn",
        )
    except WrongState:
        flash(_("Ce document a changé d’état entre-temps. Rien n’a été fait."), "warn")
    return back


def _settings() -> Settings:
    settings: Settings = current_app.extensions["portal_settings"]
    return settings


def _row(sending: Sending) -> Row:
    kept, settings = sending.document, _settings()
    cause = CAUSES.get("rejected" if kept.state == "rejected" else kept.problem or "")
    has_access_point = settings.access_point != "download"
    may_leave = kept.rules_version is not None or settings.sends_unchecked
    return Row(
        sending,
        [rule_words.explain(each, current_locale()) for each in kept.findings],
        cause if kept.state in deliveries.TO_MEND else None,
        deliveries.seen(kept),
        deliveries.may_be_checked_again(kept) and settings.peppol_rules_folder is not None,
        deliveries.may_be_sent(kept) and has_access_point and may_leave,
        deliveries.may_be_handed_over(kept) and not has_access_point,
    )


def _list(found: deliveries.Page, chosen: str, typed: str) -> DocumentList:
    def address(number: int) -> str:
        values: dict[str, Any] = {"q": typed or None, "page": number if number > 1 else None}
        return url_for(".documents", etat=chosen, **values)

    near = sorted({1, *range(max(1, found.number - 2), min(found.pages, found.number + 2) + 1), found.pages})
    everything = sum(found.counts.values())
    return DocumentList(
        rows=[_row(each) for each in found.rows],
        choices=[
            Choice(
                value,
                words,
                sum(found.counts.get(state, 0) for state in states) if states else everything,
                value == chosen,
            )
            for value, (words, states) in FILTERS.items()
        ],
        chosen=chosen,
        typed=typed,
        count=found.count,
        first=(found.number - 1) * deliveries.PAGE_SIZE + 1,
        last=(found.number - 1) * deliveries.PAGE_SIZE + len(found.rows),
        pages=[(number, address(number), number == found.number) for number in near]
        if found.pages > 1
        else [],
        next_page=address(found.number + 1) if found.number < found.pages else "",
        settings=_settings(),
    )
