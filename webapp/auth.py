"""Who is signed in, and the decorator that says who may enter.

The truth is one row of `login_sessions`, found by the token in the browser's cookie: one statement per request
gives the person and, when the address names a subscription, their role in its account. Every view states what it
asks for with `@requires(May.X)`; a view that says nothing is closed.
"""

import logging
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import wraps
from typing import Any, ParamSpec
from urllib.parse import urlsplit

from flask import Flask, Response, abort, current_app, g, make_response, redirect, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_login import UserMixin
from sqlalchemy.exc import OperationalError
from werkzeug.exceptions import Forbidden

from webapp import clock, filters, mounting
from webapp.config import Settings
from webapp.domain.access import (
    Actor,
    May,
    ResellerRole,
    Role,
    StaffRole,
    is_allowed,
    is_for_resellers,
    is_for_staff,
    is_reseller_allowed,
    is_staff_allowed,
    lesser,
)
from webapp.domain.reselling import EVERYTHING, BilledParty, InvoicesShown, PricesShown, Showing
from webapp.extensions import SAFE_METHODS, db, login
from webapp.i18n import Sentence, _
from webapp.services import embed_sessions, people
from webapp.services.viewing import LASTS as LOOK_LASTS
from webapp.transactions import own_transaction

Arguments = ParamSpec("Arguments")
log = logging.getLogger(__name__)

# The pages by which somebody of the team gets a second step: all that is open to who has none.
SETTING_UP = frozenset(
    {"account.two_factor", "account.begin_two_factor", "account.confirm_two_factor", "account.logout"}
)
# Read by GET, and yet not for who looks at an account as its client: the whole IBAN, the page of a payment provider.
OF_THE_CLIENT_ALONE = frozenset({"payment.mandate_file", "checkout.leave", "checkout.outcome"})

# The doors of the platform's documents and of paying them: all or nothing, whatever is added behind them.
OF_THE_PLATFORM = frozenset({"invoices", "payment", "checkout"})
TEAM = "staff"  # the blueprint of the team's pages

# What the 403 page says: who can, since the reader cannot.
WHO_MAY: dict[May, Sentence] = {
    May.READ_SUBSCRIPTION: _(
        "Le rôle de comptable ouvre les factures et les coordonnées de facturation. Pour voir le reste, "
        "demandez au propriétaire un autre rôle."
    ),
    May.CHANGE_OPTIONS: _("Seuls le propriétaire et les administrateurs peuvent changer les options."),
    May.CHANGE_ESTABLISHMENTS: _(
        "Seuls le propriétaire et les administrateurs peuvent changer les établissements."
    ),
    May.CHANGE_PLAN: _("Seul le propriétaire peut changer de formule."),
    May.CHANGE_PAYMENT: _("Seul le propriétaire peut changer le moyen de paiement."),
    May.PAY: _(
        "Seuls le propriétaire et les administrateurs peuvent payer en ligne ou annoncer un virement."
    ),
    May.CHANGE_BILLING_DETAILS: _("Seul le propriétaire peut changer les coordonnées de facturation."),
    May.MANAGE_USERS: _("Seul le propriétaire peut gérer les utilisateurs."),
    May.MANAGE_DATA: _("Seul le propriétaire peut télécharger ou effacer les données du compte."),
    May.READ_MESSAGES: _("Seul le propriétaire peut relire les messages envoyés."),
    May.TERMINATE: _("Seul le propriétaire peut résilier l’abonnement."),
    May.HELP_ACCOUNTS: _("Cette page est réservée aux équipes support et facturation."),
    May.CORRECT_MONEY: _("Seule l’équipe facturation peut corriger des montants."),
    May.EDIT_CATALOGUE: _("Seule l’équipe catalogue peut changer ce qui se vend."),
    May.ADMINISTER: _("Cette page est réservée aux administrateurs de l’équipe."),
    May.READ_RESALE: _(
        "Seuls les administrateurs et les lecteurs du partenaire voient ce que le partenaire paie."
    ),
    May.ADD_CLIENTS: _("Seuls les administrateurs et les agents du partenaire ajoutent des clients."),
    May.MANAGE_CONSOLE: _("Seuls les administrateurs du partenaire peuvent changer ses réglages."),
}


@dataclass(frozen=True)
class Viewing:
    """An account whose pages somebody of the team reads with a role of its client ("voir comme"), until `ends_at`."""

    account_id: uuid.UUID
    role: Role
    ends_at: datetime


@dataclass(frozen=True)
class Partner:
    """The reseller for which somebody works, and their place there."""

    id: uuid.UUID
    slug: str
    name: str
    role: ResellerRole
    is_suspended: bool  # its console can then be read, and no more

    def may(self, may: May) -> bool:
        return is_reseller_allowed(self.role, may, is_suspended=self.is_suspended)


@dataclass(frozen=True)
class Visit:
    """Who is here, and in which account: the facts of one request.

    `role` and the account's fields are None on pages that belong to no account. On a page whose address names a
    subscription they are set: without membership, the door has answered 404.
    """

    user_id: uuid.UUID
    user_name: str
    user_email: str
    language: str | None
    price_display: str
    role: Role | None
    account_id: uuid.UUID | None
    account_name: str | None
    account_reference: str | None
    subscription_id: uuid.UUID | None
    session_id: int
    last_account_id: uuid.UUID | None
    last_seen_at: datetime
    staff_role: StaffRole | None = None  # in the operator's own team
    suspended_on: date | None = None  # the sites of the account are, since that day
    suspension_cause: str | None = None  # unpaid or staff
    has_second_factor: bool = False  # asked of the team alone
    viewing: "Viewing | None" = (
        None  # an account that somebody of the team looks at as its client, wherever they are now
    )
    showing: Showing = EVERYTHING  # what its reseller, if it has one, lets it see of amounts and documents
    reseller_name: str | None = None
    theme_hash: str | None = None  # the looks of that reseller
    viewed_before: str | None = (
        None  # the reference of this page's account, when looking at it has come to its end
    )
    partner: Partner | None = None  # on pages that belong to no account
    through: str = ""  # the reseller in whose page this is shown; `session_id` is then one of the embed

    @property
    def actor(self) -> Actor:
        name = f"{self.user_name} ({self.through})" if self.through else self.user_name
        return Actor(kind="user", id=str(self.user_id), name=name)

    @property
    def staff_actor(self) -> Actor:
        return Actor(kind="staff", id=str(self.user_id), name=self.user_name)

    @property
    def partner_actor(self) -> Actor:
        """In the history of a client, the name of the reseller is said with that of the person."""
        name = f"{self.user_name} ({self.partner.name})" if self.partner else self.user_name
        return Actor(kind="user", id=str(self.user_id), name=name)

    @property
    def is_viewing(self) -> bool:
        """Whether this page is the client's own, read by the team."""
        return self.viewing is not None and self.viewing.account_id == self.account_id

    @property
    def own_account_id(self) -> uuid.UUID | None:
        """The account at hand, unless it is only looked at."""
        return None if self.is_viewing else self.account_id

    @property
    def is_to_note(self) -> bool:
        """Whether the session's row is behind: five minutes old (one in the embed), or last seen in another account."""
        if self.through:
            return clock.now() - self.last_seen_at >= embed_sessions.SEEN_EVERY
        other_account = self.own_account_id is not None and self.own_account_id != self.last_account_id
        return other_account or clock.now() - self.last_seen_at >= people.SEEN_EVERY


class RoleNeeded(Forbidden):
    """Signed in, a member, but the role does not grant this. `sentence` says whose does."""

    def __init__(self, may: May) -> None:
        super().__init__()
        self.sentence: Sentence = WHO_MAY.get(may, Sentence(""))


class OnlyViewing(Forbidden):
    """Somebody of the team reads the pages of a client, and tried to change something, or to open what is the client's
    alone."""

    sentence = _(
        "Vous voyez ce compte comme son client, pour le lire : rien ne s’y change d’ici. "
        "Quittez la consultation, puis agissez depuis la fiche du compte."
    )


class PartnerSuspended(Forbidden):
    """The operator has suspended the reseller: its people read its console, and change nothing."""

    sentence = _(
        "L’accès de votre société est suspendu : vous consultez tout, et ne changez rien. Écrivez-nous."
    )


class SignedIn(UserMixin):  # type: ignore[misc]  # Flask-Login has no types
    """What Flask-Login's `current_user` shows: the visit, under the names that extensions expect."""

    def __init__(self, visit: Visit) -> None:
        self.id = str(visit.user_id)
        self.visit = visit


# --- For the doors ---------------------------------------------------------------------------------------------


def requires(
    may: May,
) -> Callable[[Callable[Arguments, ResponseReturnValue]], Callable[Arguments, ResponseReturnValue]]:
    """State who may enter a view. It comes right under the route, before `@commits`.

    Anonymous: to the sign-in page, and back afterwards. Not a member of the account, not of the operator's team, not of a
    reseller's people: 404, as for what does not exist.
    One of them whose role does not grant `may`: 403 with the role that does.
    """

    def decorate(view: Callable[Arguments, ResponseReturnValue]) -> Callable[Arguments, ResponseReturnValue]:
        @wraps(view)
        def door(*args: Arguments.args, **kwargs: Arguments.kwargs) -> ResponseReturnValue:
            if may is May.ANYONE:
                return view(*args, **kwargs)
            here = visit()
            if here is None:
                answer: ResponseReturnValue = login.unauthorized()
                return answer
            if _lacks_second_factor(here):
                return _elsewhere(url_for("account.two_factor"))
            if is_for_staff(may):
                if here.staff_role is None:
                    abort(404)
                if not is_staff_allowed(here.staff_role, may):
                    raise RoleNeeded(may)
                return view(*args, **kwargs)
            if is_for_resellers(may):
                if here.partner is None:
                    abort(404)
                if not here.partner.may(may):
                    raise PartnerSuspended() if here.partner.is_suspended else RoleNeeded(may)
                return view(*args, **kwargs)
            if here.role is None and (may is not May.SIGNED_IN or here.subscription_id is not None):
                if here.viewed_before is not None:
                    return _elsewhere(url_for("staff.account", reference=here.viewed_before))
                abort(404)
            if not is_allowed(here.role, may):
                raise RoleNeeded(may)
            return view(*args, **kwargs)

        door.requires = may  # type: ignore[attr-defined]  # read below and by the house tests
        return door

    return decorate


def visit() -> Visit | None:
    """Who is here, or None: found once per request, on first asking."""
    if "visit" not in g:
        g.visit = None  # if the database fails, the error page must not ask it again
        g.visit = found = _resolve()
        withheld = found is not None and not found.showing.amounts and request.blueprint != TEAM
        filters.withhold_amounts(withheld)
        return found
    known: Visit | None = g.visit
    return known


def current() -> Visit:
    """Who is here, inside a view that requires a sign-in."""
    here = visit()
    if here is None:
        raise RuntimeError("auth.current() needs a view that requires a sign-in")
    return here


def visit_allows(may: May) -> bool:
    """Whether the role at hand grants `may`: for presenters, which hide what would be refused."""
    here = visit()
    if here is None:
        return False
    if is_for_resellers(may):
        return here.partner is not None and here.partner.may(may)
    return is_staff_allowed(here.staff_role, may) if is_for_staff(may) else is_allowed(here.role, may)


def partner() -> Partner:
    """The reseller of who is here, inside a view that asks for a place among its people."""
    found = current().partner
    if found is None:
        raise RuntimeError("auth.partner() needs a view that requires a place among a reseller's people")
    return found


def session_ended() -> bool:
    """Whether this browser comes back with a session that is over: the sign-in page says so."""
    return cookie_name() in request.cookies and visit() is None


def local_path(target: str | None) -> str | None:
    """The path, if it stays on this site, else None: a mailed `next` must not lead anywhere else.

    >>> local_path("/comptes?page=2"), local_path("//evil.test"), local_path("https://evil.test")
    ('/comptes?page=2', None, None)
    """
    if not target or not target.startswith("/") or target.startswith("//"):
        return None
    if "\\" in target or any(ord(sign) <= 32 or ord(sign) == 127 for sign in target):
        return None
    parts = urlsplit(target)
    return None if parts.scheme or parts.netloc else target


# --- The cookie ------------------------------------------------------------------------------------------------


def cookie_name() -> str:
    return "__Host-session" if _settings().is_https else "session"


def remember(response: Response, token: str) -> Response:
    """Give the browser its token. The cookie ends with the browser; the row decides before that."""
    response.set_cookie(
        cookie_name(), token, path="/", httponly=True, samesite="Lax", secure=_settings().is_https
    )
    return response


def forget(response: Response) -> Response:
    """Take back the token, and ask the browser to drop all that it kept of this site."""
    response.delete_cookie(
        cookie_name(), path="/", httponly=True, samesite="Lax", secure=_settings().is_https
    )
    response.headers["Clear-Site-Data"] = '"cache", "cookies", "storage"'
    return response


def device() -> people.Device:
    return people.Device(
        ip_address=request.remote_addr or "", user_agent=request.headers.get("User-Agent", "")
    )


def lifetime() -> people.Lifetime:
    settings = _settings()
    return people.Lifetime(
        idle=timedelta(minutes=settings.session_idle_minutes),
        absolute=timedelta(hours=settings.session_absolute_hours),
    )


# --- Machinery -------------------------------------------------------------------------------------------------


def init_app(app: Flask) -> None:
    login.request_loader(_signed_in)
    login.unauthorized_handler(_to_sign_in)
    app.before_request(_close_undeclared)
    app.before_request(_refuse_while_viewing)
    app.before_request(_hide_documents)
    # A worker answers one request after another: what one withheld is not the next one's affair.
    app.teardown_request(lambda _fault: filters.withhold_amounts(False))
    app.after_request(_note_visit)


def _settings() -> Settings:
    settings: Settings = current_app.extensions["portal_settings"]
    return settings


def _resolve() -> Visit | None:
    """By the bearer alone in the embed, by the cookie alone elsewhere: neither opens the other."""
    here = mounting.mount()
    return _of_cookie() if here is None else _of_embed(here)


def _of_embed(here: mounting.Mount) -> Visit | None:
    """Who comes with the session that a reseller opened, or with one of its tickets, in the account of that session."""
    scheme, _space, token = request.headers.get("Authorization", "").partition(" ")
    bearer = token if scheme.lower() == "bearer" and len(token) <= 100 else ""
    if not bearer and here.ticket_of is None:
        return None
    row = embed_sessions.visit(
        db.session(), here.slug, token=bearer, session_id=here.ticket_of, now=clock.now()
    )
    if row is None:
        return None
    mounting.remember(session, row.session_id, row.state)
    subscription_id: uuid.UUID | None = (request.view_args or {}).get("subscription_id")
    belongs = subscription_id is None or embed_sessions.owns(db.session(), row.account_id, subscription_id)
    role = lesser(lesser(Role(row.asked_role), Role(row.own_role)), Role(row.role_cap))
    return Visit(
        user_id=row.user_id,
        user_name=row.full_name,
        user_email=row.email,
        language=row.language,
        price_display=row.price_display,
        role=role if belongs else None,
        account_id=row.account_id if belongs else None,
        account_name=row.account_name if belongs else None,
        account_reference=row.account_reference if belongs else None,
        subscription_id=subscription_id,
        session_id=row.session_id,
        last_account_id=row.account_id,
        last_seen_at=row.last_seen_at,
        suspended_on=row.suspended_on if belongs else None,
        suspension_cause=row.suspension_cause if belongs else None,
        showing=_showing(row),
        reseller_name=row.reseller_name,
        theme_hash=row.theme_hash,
        through=row.reseller_name,
    )


def _of_cookie() -> Visit | None:
    token = request.cookies.get(cookie_name())
    if not token or len(token) > 100:
        return None
    subscription_id: uuid.UUID | None = (request.view_args or {}).get("subscription_id")
    row = people.visit(db.session(), token, subscription_id, idle=lifetime().idle, now=clock.now())
    if row is None:
        return None
    staff_role = StaffRole(row.staff_role) if row.staff_role else None
    viewing = _viewing(row, staff_role)
    role = Role(row.role) if row.role else None
    if viewing is not None and viewing.account_id == row.account_id:
        role = viewing.role  # whatever their own role there: it is read, and nothing more
    belongs = role is not None
    return Visit(
        user_id=row.user_id,
        user_name=row.full_name,
        user_email=row.email,
        language=row.language,
        price_display=row.price_display,
        role=role,
        account_id=row.account_id if belongs else None,
        account_name=row.account_name if belongs else None,
        account_reference=row.account_reference if belongs else None,
        subscription_id=subscription_id,
        session_id=row.session_id,
        last_account_id=row.last_account_id,
        last_seen_at=row.last_seen_at,
        suspended_on=row.suspended_on if belongs else None,
        suspension_cause=row.suspension_cause if belongs else None,
        staff_role=staff_role,
        has_second_factor=row.has_second_step or row.second_factor_at is not None,
        viewing=viewing,
        showing=_showing(row) if belongs else EVERYTHING,
        reseller_name=row.reseller_name if belongs else None,
        theme_hash=row.theme_hash if belongs else None,
        viewed_before=None if belongs or staff_role is None else row.account_reference,
        partner=_partner(row),
    )


def _partner(row: Any) -> Partner | None:
    if row.partner_id is None:
        return None
    return Partner(
        row.partner_id,
        row.partner_slug,
        row.partner_name,
        ResellerRole(row.partner_role),
        is_suspended=row.partner_suspended_at is not None,
    )


def _showing(row: Any) -> Showing:
    if row.billed_party is None:
        return EVERYTHING
    return Showing(
        BilledParty(row.billed_party), PricesShown(row.prices_shown), InvoicesShown(row.invoices_shown)
    )


def _viewing(row: Any, staff_role: StaffRole | None) -> Viewing | None:
    """What this session looks at, while its half hour lasts and its place in the team still allows it."""
    if row.viewing_since is None or not is_staff_allowed(staff_role, May.HELP_ACCOUNTS):
        return None
    ends_at = row.viewing_since + LOOK_LASTS
    if clock.now() >= ends_at:
        return None
    return Viewing(row.viewing_account_id, Role(row.viewing_role), ends_at)


def _lacks_second_factor(here: Visit) -> bool:
    """Whether the page asked for must wait until somebody of the team has a second step."""
    if here.staff_role is None or here.has_second_factor or _settings().staff_two_factor == "optional":
        return False
    return request.endpoint not in SETTING_UP


def _refuse_while_viewing() -> None:
    """Who looks at a client's pages changes nothing of them: said once here, for every door that there is or will be.

    The team's own pages stay open beside them, as do those of the person: preferences, signing out.
    """
    changes = request.method not in SAFE_METHODS and request.blueprint not in {"staff", "account"}
    if not changes and request.endpoint not in OF_THE_CLIENT_ALONE:
        return
    here = visit()
    if here is not None and here.viewing is not None:
        raise OnlyViewing()


def _hide_documents() -> None:
    """The platform's documents, and what pays them, are no page of a client whose reseller sends its own (R1)."""
    if request.blueprint in OF_THE_PLATFORM:
        here = visit()
        if here is not None and not here.showing.platform_invoices:
            abort(404)


def _signed_in(_request: Any) -> SignedIn | None:
    here = visit()
    return SignedIn(here) if here is not None else None


def _to_sign_in() -> Response:
    """To the sign-in page and back."""
    page = _page_at_hand()
    return _elsewhere(
        url_for("account.login", next=page) if page and page != "/" else url_for("account.login")
    )


def _elsewhere(address: str) -> Response:
    """To another page, whatever was asked. htmx gets 401 with the address, so that no page lands in a fragment."""
    if request.headers.get("HX-Request") == "true":
        response = Response(status=401)
        response.headers["HX-Redirect"] = address
        return response
    return make_response(redirect(address, 302 if request.method in SAFE_METHODS else 303))


def _page_at_hand() -> str | None:
    """The page to come back to: the one asked for, or for a form and a fragment the one that held it."""
    if request.method in SAFE_METHODS and request.headers.get("HX-Request") != "true":
        return local_path(request.full_path.rstrip("?"))
    shown = urlsplit(request.headers.get("HX-Current-URL") or request.headers.get("Referer") or "")
    if shown.netloc != request.host:
        return None
    return local_path(shown.path + (f"?{shown.query}" if shown.query else ""))


def _close_undeclared() -> None:
    """A view that does not say who may enter lets nobody in."""
    view = current_app.view_functions.get(request.endpoint or "")
    if view is not None and not hasattr(view, "requires"):
        log.error("%s does not state who may enter: add @requires", request.endpoint)
        abort(403)


def _note_visit(response: Response) -> Response:
    """Keep when the session was last used: at most every five minutes, after the page is made.

    A GET changes nothing that anybody sees; this bookkeeping has its own short transaction, and a page is shown even
    if the database cannot keep it. A streamed answer still reads, so it is left alone.
    """
    here: Visit | None = g.get("visit")
    if here is None or response.is_streamed or not here.is_to_note:
        return response
    try:
        db.session.rollback()  # what the door wanted to keep is committed; SQLite has one writer
        with own_transaction() as writing:
            if here.through:
                embed_sessions.note_visit(writing, here.session_id, now=clock.now())
            else:
                people.note_visit(writing, here.session_id, here.own_account_id, now=clock.now())
    except OperationalError as error:
        log.warning("the last visit could not be noted: %s", error.orig)
    return response
