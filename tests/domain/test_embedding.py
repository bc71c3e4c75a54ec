"""Every claim of an assertion, and every reason to refuse it."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from webapp.domain.access import ROLE_MAY, Role, is_at_most, lesser
from webapp.domain.embedding import (
    LEEWAY,
    LONGEST_LIFE,
    AssertionRefused,
    Expected,
    Why,
    is_framed_by,
    read_claims,
    tells_the_developer,
)

NOW = datetime(2026, 11, 16, 9, tzinfo=UTC)
SECONDS = int(NOW.timestamp())
EXPECTED = Expected(
    "horecaplus", "https://portal.example", "https://espace.horecaplus.example", Role.ADMINISTRATOR
)
CLAIMS: dict[str, object] = {
    "iss": "horecaplus",
    "aud": "https://portal.example",
    "sub": "CA-10234",
    "user": "Claire@exemple.example",
    "role": "viewer",
    "origin": "https://espace.horecaplus.example",
    "locale": "nl",
    "iat": SECONDS,
    "exp": SECONDS + 60,
    "jti": "0123456789abcdef",
}


def why(**changed: object) -> tuple[Why, str]:
    with pytest.raises(AssertionRefused) as refused:
        read_claims(CLAIMS | changed, EXPECTED, NOW)
    return refused.value.why, refused.value.claim


def test_whole_claims_say_who_may_do_what_for_which_account():
    said = read_claims(CLAIMS, EXPECTED, NOW)
    assert (said.reference, said.person, said.role) == ("CA-10234", "claire@exemple.example", Role.VIEWER)
    assert (said.language, said.jti) == ("nl", "0123456789abcdef")


@pytest.mark.parametrize("claim", ["iss", "aud", "sub", "user", "role", "origin", "iat", "exp", "jti"])
def test_each_claim_must_be_there(claim):
    assert why(**{claim: None}) == (Why.CLAIM_MISSING, claim)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"iss": "autre"}, Why.ISSUER),
        ({"aud": "https://portal.example/"}, Why.AUDIENCE),
        ({"aud": ["https://portal.example", "https://evil.example"]}, Why.AUDIENCE),
        ({"origin": "https://evil.example"}, Why.ORIGIN_CLAIM),
        ({"role": "owner"}, Why.ROLE_ABOVE_CAP),
        ({"role": "root"}, Why.ROLE),
        ({"role": ["viewer"]}, Why.ROLE),
        ({"jti": "short"}, Why.JTI),
        ({"jti": "x" * 101}, Why.JTI),
        ({"jti": 12345678}, Why.JTI),
        ({"sub": 12}, Why.MALFORMED),
        ({"exp": True}, Why.TIMES),
        ({"iat": "now"}, Why.TIMES),
        ({"exp": SECONDS - 1}, Why.TIMES),
        ({"exp": 1e300}, Why.TIMES),
        ({"exp": SECONDS + 61}, Why.LIFE_TOO_LONG),
    ],
)
def test_each_claim_must_hold(changed, reason):
    assert why(**changed)[0] is reason


@given(st.integers(-200, 200), st.integers(1, 90))
@example(5, 60)
@example(6, 60)
@example(-64, 60)
@example(-65, 60)
def test_an_assertion_lives_a_minute_and_clocks_may_differ_by_five_seconds(begins, lives):
    claims = CLAIMS | {"iat": SECONDS + begins, "exp": SECONDS + begins + lives}
    is_short = timedelta(seconds=lives) <= LONGEST_LIFE
    is_now = -lives - LEEWAY.seconds < begins <= LEEWAY.seconds
    try:
        read_claims(claims, EXPECTED, NOW)
    except AssertionRefused:
        assert not (is_short and is_now)
    else:
        assert is_short and is_now


@given(st.sampled_from(Role), st.sampled_from(Role))
def test_the_lesser_of_two_roles_grants_what_both_grant(one, other):
    assert ROLE_MAY[lesser(one, other)] == ROLE_MAY[one] & ROLE_MAY[other]
    assert is_at_most(lesser(one, other), one)


@pytest.mark.parametrize(
    "origin",
    [
        None,
        "null",
        "https://espace.horecaplus.example.evil.example",
        "https://espace.horecaplus.example:444",
        "http://espace.horecaplus.example",
    ],
)
def test_an_origin_is_one_of_the_list_to_the_letter(origin):
    assert not is_framed_by(origin, ["https://espace.horecaplus.example"])
    assert is_framed_by("https://espace.horecaplus.example", ["https://espace.horecaplus.example"])


def test_what_is_told_before_the_signature_holds_would_help_nobody():
    general = {why for why in Why if not tells_the_developer(why)}
    assert general == {Why.MISSING, Why.MALFORMED, Why.SIGNATURE, Why.ORIGIN, Why.FRAME, Why.TOO_MANY}
