"""The linter itself: it sees the faults it is there for, and lets a good page through."""

import pytest

from tests.support.page_linter import problems

GOOD = """<!doctype html><html lang="fr"><head><title>Factures</title><meta name="viewport" content="width=device-width">
</head><body><main><h1>Factures</h1><p>Voulez-vous payer\u202f? Total\u00a0: 23,00\u00a0€, soit 21\u00a0%. «\u00a0Merci\u00a0» à l’équipe.</p>
@@</main></body></html>"""


def test_a_good_page_has_no_problem():
    assert problems(GOOD.replace("@@", "")) == []


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("<h1>Encore</h1>", "2 h1"),
        ('<p id="a"></p><p id="a"></p>', "there 2 times"),
        ('<form action="/x"><input name="q"><button type="submit">Oui</button></form>', "no label"),
        ('<form method="post" action="/x"><button type="submit">Oui</button></form>', "no csrf_token"),
        ('<p style="color:red">Non</p>', "Inline style"),
        ("<script>1</script>", "Inline script"),
        ('<a href="/x" onclick="go()">Oui</a>', "Inline handler"),
        ('<a href="#">Oui</a>', "leads nowhere"),
        ('<img src="/x.png">', "no alt"),
        ('<div hx-get="/x" hx-nonce="n">Oui</div>', "neither a link nor a form"),
        ('<a href="/x" hx-get="/x">Oui</a>', "no hx-nonce"),
        ("<button>Oui</button>", "does not say its type"),
        ("<p>Vraiment ?</p>", "U+202F"),
        ("<p>Vraiment?</p>", "no narrow space"),
        ("<p>Total : 3</p>", "U+00A0"),
        ("<p>Total <b>12</b> €</p>", "U+00A0"),
        ("<p>« Oui »</p>", "after «"),
        ("<p>L'addition</p>", "straight apostrophe"),
        ("<p>Reste %(count)s jours</p>", "placeholder"),
        ("<h3>Trop bas</h3>", "h3 follows an h1"),
    ],
)
def test_each_fault_is_told(fault, told):
    assert any(told in problem for problem in problems(GOOD.replace("@@", fault))), problems(
        GOOD.replace("@@", fault)
    )


def test_other_languages_keep_their_own_typography():
    html = GOOD.replace('lang="fr"', 'lang="nl"').replace("@@", "<p>Echt? Totaal: 12 %</p>")
    assert problems(html) == []
