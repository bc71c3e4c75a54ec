"""Credit notes that the operator's team decides: a whole invoice, some of its lines, or an amount (M6, B2).

They give money back and change nothing of what is served: on a line, a correction by amount only. Never more than
what is left of each line, at the line's own VAT rate, always naming the invoice, always with a reason that is kept.
What they give pays open invoices first, then becomes the account's credit; paying it out is a decision apart.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from fractions import Fraction

from sqlalchemy import func, select
from sqlalchemy.orm import Session, aliased

from webapp.domain.access import Actor
from webapp.domain.money import Money, round_half_up, total
from webapp.domain.periods import Period
from webapp.domain.pricing import Draft, DraftLine, Item, discounted
from webapp.domain.refusals import StalePreview
from webapp.domain.vat import VatRate
from webapp.i18n import gettext
from webapp.models.invoices import Invoice, InvoiceLine
from webapp.services import audit, contracts, invoicing, previews, scheduling
from webapp.services.contracts import AMOUNT_ONLY, Situation


class InvoiceNotFound(LookupError):
    """No invoice of that number, or one that belongs to no subscription: the door answers 404."""


class NothingToCredit(Exception):
    """No line was chosen, or nothing is left of those that were."""


@dataclass(frozen=True)
class MoreThanLeft(Exception):
    """The amount asked for is above what is left of the lines, VAT excluded."""

    left: Money


@dataclass(frozen=True, slots=True)
class Creditable:
    """A line that charged something, and what is left of it after the credits before."""

    id: int
    description: str
    key: Item
    service: Period
    net: Money
    left: Money
    vat: VatRate


@dataclass(frozen=True, slots=True)
class Wish:
    """What to credit, VAT excluded: `amount`, or without one all that is left; of `lines`, or of every line."""

    amount: Money | None = None
    lines: frozenset[int] | None = None


@dataclass(frozen=True, slots=True)
class CreditPreview:
    """The credit note as it would be issued now. `fingerprint` stands for every figure of it."""

    invoice: Invoice
    situation: Situation
    draft: Draft
    descriptions: tuple[str, ...]
    fingerprint: str


def find(session: Session, number: str) -> Invoice:
    """The invoice of that number, of any account. Raises InvoiceNotFound."""
    statement = select(Invoice).where(Invoice.number == number, Invoice.kind == "invoice")
    invoice = session.scalars(statement).one_or_none()
    if invoice is None or invoice.subscription_id is None:
        raise InvoiceNotFound(number)
    return invoice


def lines_of(session: Session, invoice: Invoice) -> list[Creditable]:
    """The lines that charged something, in their order, with what is left of each. One statement.

    What a discount took off a line was never paid: it is not left to be given back.
    """
    later = aliased(InvoiceLine)
    given = (
        select(func.coalesce(func.sum(later.net_cents), 0))
        .where(later.root_id == InvoiceLine.id)
        .scalar_subquery()
    )
    rows = session.execute(
        select(InvoiceLine, given)
        .where(
            InvoiceLine.invoice_id == invoice.id, InvoiceLine.root_id.is_(None), InvoiceLine.net_cents != 0
        )
        .order_by(InvoiceLine.position)
    )
    lines = [
        Creditable(
            line.id,
            line.description,
            Item(line.item, line.ref, line.establishment_id.hex if line.establishment_id else None),
            Period(line.period_start, line.period_end),
            Money(line.net_cents, invoice.currency),
            Money(line.net_cents + int(back), invoice.currency),
            VatRate(line.vat_category, line.vat_rate),
        )
        for line, back in rows
    ]
    charged = [line for line in lines if line.net.cents > 0]
    for discount in lines:
        if discount.net.cents < 0:
            charged = _less(charged, discount)
    return charged


def _less(charged: list[Creditable], discount: Creditable) -> list[Creditable]:
    """What a discount left of the lines it lessened: of the first, then of others of the same charge."""
    off, found = -discount.left, []
    for line in charged:
        taken = min(off, line.left) if line.key == discounted(discount.key) else Money(0, off.currency)
        found.append(replace(line, left=line.left - taken))
        off = off - taken
    return found


def shared_out(amount: Money, lefts: Sequence[Money]) -> list[Money]:
    """`amount` over lines in proportion to what is left of each, to the cent: never above it, and adding up to it.

    >>> shared_out(Money(100), [Money(100), Money(100), Money(100)])
    [Money(0.33, EUR), Money(0.34, EUR), Money(0.33, EUR)]
    """
    whole = sum(left.cents for left in lefts)
    if not 0 <= amount.cents <= whole:
        raise ValueError(f"{amount} of {whole} cents")
    shares, reached, given = [], 0, 0
    for left in lefts:
        reached += left.cents
        up_to = round_half_up(Fraction(amount.cents * reached, whole)) if whole else 0
        shares.append(Money(up_to - given, amount.currency))
        given = up_to
    return shares


def draft_of(lines: Sequence[Creditable], wish: Wish, period: Period, currency: str) -> Draft:
    """What a wish comes to. Raises NothingToCredit and MoreThanLeft."""
    chosen = [line for line in lines if (wish.lines is None or line.id in wish.lines) and line.left.cents > 0]
    left = total((line.left for line in chosen), currency)
    amount = left if wish.amount is None else wish.amount
    if amount.cents <= 0 or not chosen:
        raise NothingToCredit()
    if amount.cents > left.cents:
        raise MoreThanLeft(left)
    shares = shared_out(amount, [line.left for line in chosen])
    return Draft(
        tuple(
            DraftLine(line.key, share, 1, line.service, line.service, -share, line.vat, line.id)
            for line, share in zip(chosen, shares, strict=True)
            if share
        ),
        period,
        currency,
    )


def preview(session: Session, number: str, wish: Wish, today: date) -> CreditPreview:
    """Work a credit note out without writing anything. Raises InvoiceNotFound, NothingToCredit, MoreThanLeft."""
    invoice = find(session, number)
    if invoice.subscription_id is None:
        raise InvoiceNotFound(number)
    situation = contracts.load(session, invoice.subscription_id)
    lines = lines_of(session, invoice)
    period = Period(invoice.period_start, invoice.period_end)
    draft = draft_of(lines, wish, period, invoice.currency)
    names = {line.id: line.description for line in lines}
    language = situation.customer.language
    return CreditPreview(
        invoice,
        situation,
        draft,
        tuple(gettext("Crédit : %(line)s", language, line=names[line.root_id or 0]) for line in draft.lines),
        previews.fingerprint(
            situation, today, [draft], number, *(f"{line.id}={line.left}" for line in lines)
        ),
    )


def issue(
    session: Session,
    number: str,
    wish: Wish,
    fingerprint: str,
    reason: str,
    today: date,
    now: datetime,
    actor: Actor,
) -> Invoice:
    """Issue the credit note exactly as it was previewed, or StalePreview and nothing. Flushes.

    Raises as the preview; ValueError without a reason.
    """
    if not reason.strip():
        raise ValueError("a credit note needs a reason")
    invoice = find(session, number)
    if invoice.subscription_id is None:
        raise InvoiceNotFound(number)
    subscription = scheduling.lock(session, invoice.subscription_id)
    shown = preview(session, number, wish, today)
    if shown.fingerprint != fingerprint:
        raise StalePreview()
    note = invoicing.issue_to(
        session,
        shown.draft,
        shown.situation.customer,
        shown.descriptions,
        AMOUNT_ONLY,
        today,
        now,
        invoice.subscription_id,
    )
    scheduling.touch(session, subscription, now)
    audit.record(
        session, actor, invoice.account_id, "invoice.credited", invoice.number,
        {"total_cents": invoice.total_cents},
        {"document": note.number, "net_cents": note.net_cents, "total_cents": note.total_cents, "reason": reason.strip()},
        now,
    )  # fmt: skip
    session.flush()
    return note
