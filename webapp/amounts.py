"""The lines of a document to come, as previews show them."""

from dataclasses import dataclass

from webapp.domain.money import Money
from webapp.domain.pricing import Draft, DraftLine
from webapp.services.contracts import Situation
from webapp.services.wording import line_description


@dataclass(frozen=True, slots=True)
class NamedLine:
    """A line with the words that the invoice will bear."""

    name: str
    line: DraftLine

    @property
    def full_price(self) -> Money:
        """For a whole period."""
        return self.line.unit * self.line.quantity


def named_lines(draft: Draft, situation: Situation, locale: str) -> list[NamedLine]:
    return [NamedLine(line_description(line, situation, locale), line) for line in draft.lines]


def due_now(due: Draft, arrears: tuple[Draft, ...]) -> Money:
    """Everything a confirmation issues, VAT included: the document of the day, and periods billed late."""
    amount = due.total
    for draft in arrears:
        amount += draft.total
    return amount
