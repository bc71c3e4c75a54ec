"""What the form of options says: a draft read from its switches and quantities, and the wishes that it makes.

A page that is open in two tabs says only what its reader touched: each draft carries the choices it began from, so
that saving an old page never takes back what was saved elsewhere.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from flask_wtf import FlaskForm
from werkzeug.datastructures import MultiDict
from wtforms import TextAreaField
from wtforms.validators import DataRequired, Length

from webapp.domain.contract import OptionKind
from webapp.domain.option_change import Place, Wish
from webapp.forms import PortalForm
from webapp.i18n import _

MOST_WISHES = 1_000
_WRITTEN = re.compile(r"([a-z0-9_-]{1,60})(?:@([0-9a-f]{32}))?=(\d{1,6})(?:/(\d{1,6}))?", re.ASCII)


class PlainForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    """A button and its token."""


class RequestForm(PortalForm):
    description = TextAreaField(
        _("Ce dont vous avez besoin"),
        [DataRequired(_("Décrivez ce dont vous avez besoin, en quelques phrases.")), Length(max=4000)],
        description=_(
            "Les tâches, leur fréquence, vos établissements : tout ce qui aide à vous faire un prix."
        ),
    )


@dataclass(frozen=True, slots=True)
class Control:
    """One switch of the page, with its quantity when it has one; `quantity` is what stands, 0 when off.

    `idle` is the quantity that the field shows while the switch is off.
    """

    place: Place
    kind: OptionKind
    quantity: int
    idle: int = 1
    least: int = 1
    most: int = 1


@dataclass(frozen=True, slots=True)
class Choice:
    """What the form says of one place. `quantity` is None when what was typed is no quantity; `typed` is kept."""

    quantity: int | None
    typed: str
    idle: int

    @property
    def is_on(self) -> bool:
        return self.quantity != 0


Draft = dict[Place, Choice]


def resting(controls: Iterable[Control]) -> Draft:
    """The draft of somebody who has touched nothing."""
    return {
        each.place: Choice(each.quantity, str(each.quantity or each.idle), each.quantity or each.idle)
        for each in controls
    }


def read(form: MultiDict[str, str], controls: Iterable[Control]) -> Draft:
    """The draft as the form says it. What it does not touch stays as it stands today."""
    saved, drawn = written(form.get("saved", "")), written(form.get("drawn", ""))
    draft: Draft = {}
    for control in controls:
        stands = Choice(
            control.quantity, str(control.quantity or control.idle), control.quantity or control.idle
        )
        if control.place not in saved:  # it came since the page was shown
            draft[control.place] = stands
            continue
        was, _idle = saved[control.place]
        said = _said(form, control, drawn.get(control.place, saved[control.place]))
        draft[control.place] = stands if said.quantity == was else said
    return draft


def _said(form: MultiDict[str, str], control: Control, drawn: tuple[int, int]) -> Choice:
    code, establishment_id = control.place
    if control.kind is not OptionKind.PER_UNIT:
        is_on = (establishment_id or "on") in form.getlist(code)
        return Choice(int(is_on), "1", 1)
    is_on, was_on, shown = code in form, drawn[0] > 0, drawn[0] or drawn[1]
    typed = form.get(f"{code}-quantity", "").strip()
    number = int(typed) if typed.isascii() and typed.isdigit() and len(typed) <= 6 else None
    match form.get("adjust", ""):
        case asked if asked in (f"{code}-plus", f"{code}-minus"):
            step = 1 if asked.endswith("plus") else -1
            wanted = (number if number is not None else shown) + (step if is_on else 0)
            wanted = min(max(wanted, control.least), control.most)
            return Choice(wanted, str(wanted), wanted)
    if was_on and not is_on:
        return Choice(0, str(shown), shown)
    if typed != str(shown):
        if number == 0:
            return Choice(0, str(shown), shown)
        return Choice(number, typed, shown)
    return Choice(shown if is_on else 0, typed, shown)


def from_wishes(asked: Iterable[Wish], controls: Iterable[Control]) -> Draft:
    """The draft that a preview carries, for coming back to it."""
    draft = resting(controls)
    for wish in asked:
        if wish.place in draft:
            quantity = wish.quantity or draft[wish.place].idle
            draft[wish.place] = Choice(wish.quantity, str(quantity), quantity)
    return draft


def from_text(text: str, controls: Iterable[Control]) -> Draft:
    """The draft of which a page was last drawn."""
    draft = resting(controls)
    for place, (quantity, idle) in written(text).items():
        if place in draft:
            shown = quantity or idle
            draft[place] = Choice(quantity, str(shown), shown)
    return draft


def is_stale(form: MultiDict[str, str], controls: Iterable[Control]) -> bool:
    """Whether the options moved since the page of this draft was shown."""
    saved = form.get("saved")
    return saved is not None and saved != saved_text(controls)


def saved_text(controls: Iterable[Control]) -> str:
    return " ".join(write(each.place, each.quantity) for each in controls)


def drawn_text(draft: Mapping[Place, Choice]) -> str:
    """What was typed and is no quantity counts as never drawn, so that its card is always drawn again."""
    return " ".join(
        write(place, choice.quantity, choice.idle)
        for place, choice in draft.items()
        if choice.quantity is not None
    )


def wishes(draft: Mapping[Place, Choice], controls: Iterable[Control]) -> list[Wish]:
    """What the draft asks for that does not stand already; what is no quantity asks for nothing."""
    stands = {control.place: control.quantity for control in controls}
    return [
        Wish(place[0], choice.quantity, place[1])
        for place, choice in draft.items()
        if choice.quantity is not None and choice.quantity != stands[place]
    ]


def read_wishes(form: MultiDict[str, str]) -> list[Wish]:
    """The wishes that a preview carries; what is not one is left out."""
    found = []
    for text in form.getlist("wish")[:MOST_WISHES]:
        for (code, establishment_id), (quantity, _idle) in written(text).items():
            found.append(Wish(code, quantity, establishment_id))
    return found


def write(place: Place, quantity: int, idle: int = 0) -> str:
    """ "emails=4", "booking@0f…=1"; "emails=0/4" is off, with 4 in its field."""
    code, establishment_id = place
    at = f"@{establishment_id}" if establishment_id else ""
    return f"{code}{at}={quantity}" + (f"/{idle}" if idle and not quantity else "")


def written(text: str) -> dict[Place, tuple[int, int]]:
    """Quantity and idle quantity by place."""
    found: dict[Place, tuple[int, int]] = {}
    for word in text[:100_000].split():
        if match := _WRITTEN.fullmatch(word):
            code, establishment_id, quantity, idle = match.groups()
            found[(code, establishment_id)] = (int(quantity), int(idle or 1))
    return found
