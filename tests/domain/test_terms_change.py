"""In what changed terms are less good for the client (S2, C3)."""

from datetime import date

import pytest

from webapp.domain.terms import Commitment, Notice, NoticeUnit, Renewal, Terms
from webapp.domain.terms_change import Worse, less_good

SIGNED = date(2026, 3, 1)
TODAY = date(2026, 11, 16)
MONTHS, DAYS = NoticeUnit.MONTHS, NoticeUnit.DAYS


def terms(
    months: int = 12, count: int = 2, unit: NoticeUnit = MONTHS, renewal: Renewal = Renewal.SAME_TERM
) -> Terms:
    return Terms(months, Notice(count, unit), renewal)


def worse(after: Terms, before: Terms | None = None) -> set[Worse]:
    return set(less_good(Commitment(SIGNED, before or terms()), Commitment(SIGNED, after), TODAY, SIGNED, 1))


@pytest.mark.parametrize(
    ("after", "found"),
    [
        (terms(), set()),
        (terms(months=0), set()),
        (terms(months=24), {Worse.LONGER, Worse.LATER_END}),
        (terms(count=1), set()),
        (terms(count=3), {Worse.NOTICE}),
        (terms(count=4), {Worse.NOTICE, Worse.LATER_END}),  # on 16 November it is too late for 1 March
        (terms(count=30, unit=DAYS), set()),
        (terms(count=62, unit=DAYS), {Worse.NOTICE}),  # two months hold 59 days at least
        (terms(renewal=Renewal.MONTHLY), set()),
        (terms(renewal=Renewal.ENDS), {Worse.RENEWAL}),
    ],
)  # fmt: skip
def test_what_the_client_would_lose_is_named(after: Terms, found: set[Worse]) -> None:
    assert worse(after) == found


def test_a_contract_that_ended_by_itself_and_would_go_on_is_for_the_client_to_agree_to() -> None:
    assert Worse.RENEWAL in worse(terms(renewal=Renewal.MONTHLY), before=terms(renewal=Renewal.ENDS))
