"""Origins that may frame the portal, and what a reseller's clients see."""

import pytest

from webapp.domain.refusals import BadOrigin
from webapp.domain.reselling import BilledParty, InvoicesShown, PricesShown, Showing, origin_of


@pytest.mark.parametrize(
    ("typed", "origin"),
    [
        ("https://espace.horecaplus.example", "https://espace.horecaplus.example"),
        (" https://Espace.HorecaPlus.example/ ", "https://espace.horecaplus.example"),
        ("https://horecaplus.example:443", "https://horecaplus.example"),
        ("https://horecaplus.example:8443", "https://horecaplus.example:8443"),
        ("http://localhost:5000", "http://localhost:5000"),
        ("http://127.0.0.1:5000/", "http://127.0.0.1:5000"),
        ("http://[::1]:5000", "http://[::1]:5000"),
    ],
)
def test_an_origin_is_kept_as_browsers_write_it(typed, origin):
    assert origin_of(typed) == origin
    assert origin_of(origin) == origin


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "*",
        "horecaplus.example",
        "http://horecaplus.example",
        "https://*.horecaplus.example",
        "https://horecaplus.example/espace",
        "https://horecaplus.example?x",
        "https://horecaplus.example#x",
        "https://moi@horecaplus.example",
        "https://horecaplus.example:port",
        "https://horecaplus.example; script-src *",
        "https://horeca plus.example",
        "ftp://horecaplus.example",
        "null",
        "https://-.example",
        "https://évil.example",
    ],
)
def test_what_is_no_exact_origin_is_refused(typed):
    with pytest.raises(BadOrigin):
        origin_of(typed)


@pytest.mark.parametrize("invoices", InvoicesShown)
def test_the_documents_of_the_reseller_are_never_its_clients_to_read(invoices):
    assert not Showing(BilledParty.RESELLER, PricesShown.PUBLIC, invoices).platform_invoices


def test_a_client_who_is_billed_reads_its_invoices():
    assert Showing(BilledParty.CLIENT, PricesShown.NONE, InvoicesShown.PLATFORM).platform_invoices
    assert not Showing(BilledParty.CLIENT, PricesShown.NONE, InvoicesShown.PLATFORM).amounts
