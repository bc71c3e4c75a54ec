"""What every preview shares: looking ahead to today without writing, and the fingerprint of what was shown (P1)."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

from webapp.domain.pricing import Draft, DraftLine
from webapp.domain.proration import BilledLine, with_draft
from webapp.services import billing
from webapp.services.contracts import Situation


def caught_up(
    situation: Situation, billed: Sequence[BilledLine], today: date
) -> tuple[Situation, list[BilledLine], tuple[Draft, ...]]:
    """The situation as it is once everything due up to today is applied and billed, without writing it.

    Usually nothing is due. On the billing day, before the run has passed, a change is worked out as after it.
    """
    arrears: list[Draft] = []
    lines = list(billed)
    contract = situation.contract
    while (step := billing.next_step(contract, lines, today, situation.customer.vat)) is not None:
        contract = step.contract
        if step.draft is not None and step.draft.lines:
            arrears.append(step.draft)
            lines = with_draft(lines, step.draft)
    return replace(situation, contract=contract.on(today)), lines, tuple(arrears)


def fingerprint(situation: Situation, today: date, drafts: Iterable[Draft | None], *facts: Any) -> str:
    """A short text that stands for every figure and date shown: it changes when one of them does."""
    told = [
        str(situation.subscription_id),
        situation.version,
        today.isoformat(),
        [
            [*map(str, (draft.period, draft.total)), *map(_line_facts, draft.lines)]
            for draft in drafts
            if draft
        ],
        *map(str, facts),
    ]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:32]


def _line_facts(line: DraftLine) -> list[str]:
    return [*map(str, (line.key, line.unit, line.quantity, line.service, line.whole, line.net, line.vat))]
