"""Ending a contract: on which day, and why that day (spec T1, T2, M8), consumers' rights included.

Consumers: after a tacit renewal they may leave at any time, free of charge, with two months' notice at most (Belgian
code of economic law, art. VI.91); within fourteen days of signing online they may withdraw without a reason (art.
VI.47), the days not used being given back.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from webapp.domain.contract import Contract, ScheduledChange, Signature
from webapp.domain.periods import Period, boundary, boundary_on_or_after, next_boundary, period_containing
from webapp.domain.refusals import AlreadyTerminated, SubscriptionEnded, WithdrawalTooLate
from webapp.domain.terms import Commitment, Notice, NoticeUnit, Renewal, Terms

WITHDRAWAL_DAYS = 14
LONGEST_CONSUMER_NOTICE = Notice(2, NoticeUnit.MONTHS)


class EndReason(StrEnum):
    """Why the contract ends on its day, to be said before asking."""

    IN_TIME = "in_time"  # the end of the commitment, notice in time
    TOO_LATE = "too_late"  # the last day has passed: the end of the next term
    AFTER_COMMITMENT = "after_commitment"  # too late for the commitment's end, which nothing follows
    NO_COMMITMENT = "no_commitment"  # the end of the first paid period that leaves room for the notice
    BY_ITSELF = "by_itself"  # not renewed anyway
    AFTER_RENEWAL = "after_renewal"  # a consumer, after a tacit renewal
    WITHDRAWAL = "withdrawal"  # a consumer, within fourteen days of signing
    CHANGE_REFUSED = "change_refused"  # rather than go on under what the operator changes


@dataclass(frozen=True, slots=True)
class Ending:
    """How a contract would end. `ends_on` is the first day without service.

    `last_notice_day` is the last day on which notice still gives this end; the day after, it would be `if_later`.
    `missed_on` is the last day that has passed, when one has. `term` is the commitment running when notice is given.
    """

    ends_on: date
    reason: EndReason
    given_on: date
    notice: Notice
    term: Period | None
    last_notice_day: date | None = None
    if_later: date | None = None
    missed_on: date | None = None

    @property
    def days_left(self) -> int:
        """Days left to give notice for the same end; 0 on the last one."""
        return (self.last_notice_day - self.given_on).days if self.last_notice_day is not None else 0


def ending(contract: Contract, given_on: date, is_consumer: bool = False) -> Ending:
    """The end of a contract whose notice is given on `given_on` (T2). `contract` is as on that day.

    A plan scheduled for a day before that end takes effect first, and its terms say when one may leave. What the operator
    changes to the client's disadvantage may be refused until the eve: the contract then ends on the day of the change,
    without fee or notice (Belgian code of economic law, art. VI.83, 2° and 3°, and VI.91/5).
    Raises SubscriptionEnded or AlreadyTerminated.
    """
    if contract.ended_on is not None:
        raise SubscriptionEnded(contract.ended_on)
    pending = contract.termination()
    if pending is not None:
        raise AlreadyTerminated(pending.effective_on - timedelta(days=1))
    found = _ending(contract.signature, given_on, is_consumer)
    switch = contract.plan_switch()
    if switch is not None and switch.is_migration:
        return _refusing(contract.signature, switch, found, is_consumer)
    if switch is None or switch.effective_on >= found.ends_on:
        return found
    then = contract.on(switch.effective_on).signature
    later = _ending(then, given_on, is_consumer, since=switch.effective_on)
    is_for_a_term = later.reason in (EndReason.IN_TIME, EndReason.TOO_LATE)
    return Ending(
        ends_on=later.ends_on,
        reason=EndReason.TOO_LATE if is_for_a_term and found.missed_on else later.reason,
        given_on=given_on,
        notice=later.notice,
        term=found.term or later.term,
        last_notice_day=later.last_notice_day,
        if_later=later.if_later,
        missed_on=found.missed_on,
    )


def _refusing(signature: Signature, switch: ScheduledChange, found: Ending, is_consumer: bool) -> Ending:
    """The end on the day of the operator's change, when the client may refuse it and `found` comes no sooner."""
    until = switch.leave_until
    if until is None or found.given_on > until or found.ends_on < switch.effective_on:
        return found
    later = _ending(signature, until + timedelta(days=1), is_consumer).ends_on
    no_notice = Notice(0, NoticeUnit.DAYS)
    return Ending(
        switch.effective_on, EndReason.CHANGE_REFUSED, found.given_on, no_notice, found.term, until, later
    )


def _ending(signature: Signature, given_on: date, is_consumer: bool, since: date | None = None) -> Ending:
    commitment, months = signature.commitment, signature.frequency.months
    notice = commitment.terms.notice
    term = commitment.term_on(max(given_on, since or given_on, commitment.starts_on))
    end = commitment.earliest(given_on, signature.anchor_on, months, since)
    reason = _reason(commitment, term, end.term)
    missed_on = None
    if term is not None and reason in (EndReason.TOO_LATE, EndReason.AFTER_COMMITMENT):
        missed_on = notice.last_day_before(term.end)
    free_end = _consumer_end(signature, given_on) if is_consumer else None
    if free_end is not None and free_end < end.ends_on:
        free_notice = min(notice, LONGEST_CONSUMER_NOTICE, key=lambda each: _after(given_on, each))
        return Ending(free_end, EndReason.AFTER_RENEWAL, given_on, free_notice, term, missed_on=missed_on)
    if reason is EndReason.BY_ITSELF:
        return Ending(end.ends_on, reason, given_on, notice, term)
    next_day = end.last_notice_day + timedelta(days=1)
    after = commitment.earliest(next_day, signature.anchor_on, months, since)
    return Ending(end.ends_on, reason, given_on, notice, term, end.last_notice_day, after.ends_on, missed_on)


def _reason(commitment: Commitment, running: Period | None, closed: Period | None) -> EndReason:
    if running is None:
        return EndReason.NO_COMMITMENT
    if commitment.terms.renewal is Renewal.ENDS:
        return EndReason.BY_ITSELF
    if closed is None:
        return EndReason.AFTER_COMMITMENT
    return EndReason.IN_TIME if closed == running else EndReason.TOO_LATE


def _consumer_end(signature: Signature, given_on: date) -> date | None:
    """The first day without service for a consumer whose contract was, or will be, renewed tacitly.

    The monthly boundary that follows the notice; if that made it longer than two months, the last one before. None
    when there is no tacit renewal.
    """
    commitment, anchor = signature.commitment, signature.anchor_on
    if commitment.terms.commitment_months == 0 or commitment.terms.renewal is Renewal.ENDS:
        return None
    free_from = boundary(commitment.starts_on, commitment.terms.commitment_months)
    latest = _after(max(given_on, free_from), LONGEST_CONSUMER_NOTICE)
    notice_ends = min(_after(given_on, commitment.terms.notice), latest)
    end = boundary_on_or_after(anchor, max(notice_ends, free_from), 1)
    if given_on < free_from and end <= free_from:
        end = next_boundary(anchor, free_from, 1)
    return end if end <= latest else period_containing(anchor, latest, 1).start


def _after(day: date, notice: Notice) -> date:
    if notice.unit is NoticeUnit.MONTHS:
        return boundary(day, notice.count)
    return day + timedelta(days=notice.count)


# ── Withdrawal ───────────────────────────────────────────────────────────────────────────────────────────────────


def withdrawal_until(contract: Contract) -> date:
    """The last day on which a consumer may withdraw: fourteen days after the day of signing."""
    return contract.starts_on + timedelta(days=WITHDRAWAL_DAYS)


def may_withdraw(contract: Contract, today: date, is_consumer: bool) -> bool:
    return is_consumer and contract.ended_on is None and today <= withdrawal_until(contract)


def withdrawal(contract: Contract, today: date, is_consumer: bool) -> Ending:
    """Withdraw today: the contract ends at once, what was paid for the days to come is given back.

    Raises SubscriptionEnded or WithdrawalTooLate.
    """
    if contract.ended_on is not None:
        raise SubscriptionEnded(contract.ended_on)
    if not may_withdraw(contract, today, is_consumer):
        raise WithdrawalTooLate()
    signature = contract.signature
    return Ending(
        ends_on=max(today, contract.starts_on),
        reason=EndReason.WITHDRAWAL,
        given_on=today,
        notice=Notice(0, NoticeUnit.DAYS),
        term=signature.commitment.term_on(today),
        last_notice_day=withdrawal_until(contract),
    )


# ── The calendar ─────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Calendar:
    """The dates of a contract (T1). `term` is None when nothing is committed, or not any more.

    `ends_on`, the first day without service, is known once notice is given or when the contract is not renewed;
    `renews_on` when it is renewed tacitly. `last_notice_day` may have passed, and is None once notice is given.
    """

    starts_on: date
    terms: Terms
    term: Period | None
    last_notice_day: date | None
    renews_on: date | None
    ends_on: date | None
    has_notice: bool  # the end was asked for: a termination is pending
    earliest_end: date  # if notice were given today


def calendar(contract: Contract, today: date, is_consumer: bool = False) -> Calendar:
    """The dates of `contract` as it stands on `today`."""
    signature, notice_given = contract.signature, contract.termination()
    commitment = signature.commitment
    term = commitment.term_on(max(today, commitment.starts_on))
    ends_on = contract.ends_on()
    standing = ends_on if ends_on is not None else ending(contract, today, is_consumer).ends_on
    return Calendar(
        starts_on=contract.starts_on,
        terms=commitment.terms,
        term=term,
        last_notice_day=None
        if ends_on or term is None
        else commitment.terms.notice.last_day_before(term.end),
        renews_on=term.end if term is not None and ends_on is None else None,
        ends_on=ends_on,
        has_notice=notice_given is not None,
        earliest_end=standing,
    )
