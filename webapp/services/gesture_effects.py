"""What a gesture would change, worked out before it is made: one shape for the previews of every kind (S2)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from webapp.domain.money import Money
from webapp.domain.pricing import Draft
from webapp.domain.terms_change import Worse
from webapp.services import previews
from webapp.services.contracts import Situation

Value = date | Money | str | int | None


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that changes: `what` names it for the page, `of` says of which document."""

    what: str
    before: Value
    after: Value
    of: str = ""


@dataclass(frozen=True, slots=True)
class Effect:
    """A gesture as it would be made now.

    `facts` are those that its row keeps; `due` is the document of the day, `arrears` the periods billed with it because
    they were due; `worse` is what the client would have to agree to.
    """

    situation: Situation
    today: date
    facts: Mapping[str, Any]
    rows: tuple[Row, ...]
    due: Draft | None = None
    arrears: tuple[Draft, ...] = ()
    next_before: Draft | None = None
    next_after: Draft | None = None
    worse: tuple[Worse, ...] = ()

    @property
    def fingerprint(self) -> str:
        """Stands for every figure and date shown (P1)."""
        return previews.fingerprint(
            self.situation,
            self.today,
            [self.due, *self.arrears, self.next_before, self.next_after],
            json.dumps(self.facts, sort_keys=True),
            *self.rows,
        )
