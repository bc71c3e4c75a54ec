"""The commitment on the overview: its term, its dates and their picture."""

from dataclasses import dataclass
from datetime import date

from webapp import timeline
from webapp.domain.contract import Contract
from webapp.domain.periods import Period
from webapp.domain.pricing import Draft
from webapp.domain.terms import Commitment, Notice, Renewal, Terms
from webapp.services.contracts import Situation
from webapp.services.wording import text


@dataclass(frozen=True, slots=True)
class TermDate:
    """A date of the commitment. `key`: invoice, notice, renewal, plan, end."""

    key: str
    on: date
    name: str = ""


@dataclass(frozen=True, slots=True)
class CommitmentCard:
    """`term` is None without commitment: then `earliest_end` says when one could leave."""

    term: Period | None
    terms: Terms
    notice: Notice
    renewal: Renewal
    picture: timeline.Timeline | None
    dates: dict[str, TermDate]
    last_notice_day: date | None
    notice_days_left: int  # 0 on the last day, negative afterwards
    next_term: Period | None
    earliest_end: date
    is_ending: bool  # a termination is pending


def commitment_card(
    contract: Contract, situation: Situation, draft: Draft | None, today: date, locale: str
) -> CommitmentCard:
    signature = contract.signature
    commitment = signature.commitment
    term = commitment.term_on(max(today, commitment.starts_on))
    last_notice = commitment.terms.notice.last_day_before(term.end) if term else None
    termination = contract.termination()
    dates = _dates(contract, situation, draft, term, last_notice, locale)
    picture = None
    if term is not None:
        picture = timeline.timeline(
            term,
            today,
            None if termination else last_notice,
            [(each.key, each.on) for each in dates],
        )
    after = _commitment_after(contract, term)
    return CommitmentCard(
        term=term,
        terms=commitment.terms,
        notice=commitment.terms.notice,
        renewal=commitment.terms.renewal,
        picture=picture,
        dates={each.key: each for each in dates},
        last_notice_day=last_notice,
        notice_days_left=(last_notice - today).days if last_notice else 0,
        next_term=after.term_on(term.end) if after and term else None,
        earliest_end=commitment.earliest_end(today, signature.anchor_on, contract.frequency.months),
        is_ending=termination is not None,
    )


def _commitment_after(contract: Contract, term: Period | None) -> Commitment | None:
    """The terms in force once the present one is over, a scheduled change of plan included."""
    if term is None:
        return None
    then = contract.on(term.end)
    return None if then.ended_on is not None else then.signature.commitment


def _dates(
    contract: Contract,
    situation: Situation,
    draft: Draft | None,
    term: Period | None,
    last_notice: date | None,
    locale: str,
) -> list[TermDate]:
    dates = [TermDate("invoice", draft.period.start)] if draft else []
    termination, switch = contract.termination(), contract.plan_switch()
    if last_notice is not None and termination is None:
        dates.append(TermDate("notice", last_notice))
    if termination is not None:
        dates.append(TermDate("end", termination.effective_on))
    elif switch is not None and switch.tariff is not None and not switch.is_migration:
        dates.append(
            TermDate("plan", switch.effective_on, text(situation.plans[switch.tariff.plan_code], locale))
        )
    elif term is not None:
        ends = contract.signature.commitment.terms.renewal is Renewal.ENDS
        dates.append(TermDate("end" if ends else "renewal", term.end))
    return dates
