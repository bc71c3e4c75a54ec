"""The history page and its filters."""

import uuid
from datetime import date, datetime, time, timedelta
from typing import Any

from flask import request, url_for
from flask.typing import ResponseReturnValue

from webapp import auth, clock, htmx
from webapp.auth import requires
from webapp.blueprints.history import bp
from webapp.blueprints.history.forms import FilterForm
from webapp.domain.access import May
from webapp.extensions import db
from webapp.rendering import current_locale
from webapp.services import history
from webapp.services.history import Reader


@bp.get("/abonnements/<uuid:subscription_id>/historique")
@requires(May.READ_SUBSCRIPTION)
def index(subscription_id: uuid.UUID) -> ResponseReturnValue:
    form, session = FilterForm(request.args), db.session()
    is_valid = form.validate()
    locale = current_locale()
    account_id = auth.current().account_id
    assert account_id is not None  # the door has answered 404 otherwise
    found = history.page(
        session,
        account_id,
        Reader(locale, history.names(session, locale)),
        theme=form.theme.data if not form.theme.errors else None,
        since=_start_of(form.since.data) if not form.since.errors else None,
        until=_start_of(_after(form.until.data)) if not form.until.errors else None,
        number=request.args.get("page", 1, type=int),
    )

    def address(number: int) -> str:
        kept: dict[str, Any] = {
            name: value for name, value in request.args.items() if name != "page" and value
        }
        kept["page"] = number if number > 1 else None
        return url_for(".index", subscription_id=subscription_id, **kept)

    return htmx.page_or_fragment(
        "history/index.html",
        "history/_entries.html",
        status=200 if is_valid else 422,
        form=form,
        found=found,
        pages=[(number, address(number), number == found.number) for number in _near(found)],
        next_page=address(found.number + 1) if found.number < found.pages else "",
        is_filtered=any(request.args.get(name) for name in ("theme", "du", "au")),
    )


def _near(found: history.Page) -> list[int]:
    """The first and last pages, and those around the present one."""
    near = {1, found.pages, found.number - 1, found.number, found.number + 1}
    return sorted(number for number in near if 1 <= number <= found.pages)


def _start_of(day: date | None) -> datetime | None:
    return datetime.combine(day, time(), tzinfo=clock.local(clock.now()).tzinfo) if day else None


def _after(day: date | None) -> date | None:
    return day + timedelta(days=1) if day and day < date.max else None
