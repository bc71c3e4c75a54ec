"""The PDF, read back by an independent reader: its texts, its totals, its language, its attachment, its promises."""

import io
from dataclasses import replace

import pypdf
import pytest
from lxml import etree

from tests.support.documents import BUYER, DUTCH_BUYER, REDUCED, UCCLE, a_document, a_line
from webapp.adapters.invoice_pdf import printable
from webapp.domain.einvoice import Document
from webapp.domain.money import euros
from webapp.domain.vat import REVERSE_CHARGE
from webapp.services import documents, printed


class Read:
    """A PDF read back by pypdf."""

    def __init__(self, pdf: bytes) -> None:
        self.reader = pypdf.PdfReader(io.BytesIO(pdf))
        self.text = " ".join(" ".join(page.extract_text() for page in self.reader.pages).split())

    @property
    def catalogue(self) -> pypdf.generic.DictionaryObject:
        return self.reader.root_object


def read(document: Document) -> Read:
    return Read(documents.make(document)[0])


def test_it_says_parties_lines_and_totals_in_french():
    pdf = read(a_document([a_line("79.00"), a_line("12.35", vat=REDUCED, name="Livre", place=UCCLE)]))
    for said in (
        "Facture", "F2026-00042", "CentralApp SA", "Parc Horeca SRL", "TVA BE 0876.543.270", "RPM Bruxelles",
        "Le Petit Parc", "01/11/2026 – 30/11/2026", "79,00 €", "Total HTVA 91,35 €", "TVA 17,33 €",
        "Total TVAC 108,68 €", "21 % 79,00 € 16,59 €", "6 % 12,35 € 0,74 €", "+++090/9337/55493+++",
        "BE68 5390 0754 7034", "Copie : l’original est le document électronique envoyé par Peppol.", "Page 1 sur 1",
    ):  # fmt: skip
        assert said in pdf.text, said


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("nl", ("Factuur", "Te betalen € 44,00", "Btw verlegd")),
        ("en", ("Invoice", "€44.00", "Reverse charge")),
    ],
)
def test_it_speaks_the_customers_language_mentions_included(language, said):
    group = {"category": "AE", "rate": "0", "base_cents": 4400, "vat_cents": 0}
    mention = documents.groups([group | documents.exemption(REVERSE_CHARGE, language)], "EUR")
    pdf = read(
        replace(
            a_document([a_line("44.00", vat=REVERSE_CHARGE)], buyer=DUTCH_BUYER),
            language=language,
            groups=mention,
        )
    )
    for words in said:
        assert words in pdf.text, words
    assert pdf.catalogue["/Lang"] == language


def test_it_is_an_archive_that_a_screen_reader_can_read():
    pdf = read(a_document())
    metadata = etree.fromstring(pdf.catalogue["/Metadata"].get_object().get_data())
    said = {etree.QName(node).localname: node.text for node in metadata.iter() if isinstance(node.tag, str)}
    assert (said["part"], said["conformance"]) in {("3", "A"), ("1", "A")}
    text = etree.tostring(metadata, encoding="unicode")
    assert "pdfaid" in text and "pdfuaid" in text
    assert pdf.catalogue["/MarkInfo"]["/Marked"] and "/StructTreeRoot" in pdf.catalogue
    assert pdf.catalogue["/OutputIntents"]
    assert pdf.reader.metadata is not None and pdf.reader.metadata.title == "Facture F2026-00042"


def test_the_ubl_is_attached_to_it():
    pdf = read(a_document())
    [(name, [attached])] = pdf.reader.attachments.items()
    assert name.endswith("F2026-00042.xml")
    assert etree.QName(etree.fromstring(attached)).localname == "Invoice"


def test_the_same_document_gives_the_same_bytes():
    assert documents.make(a_document()) == documents.make(a_document())


def test_a_credit_note_credits_and_asks_for_nothing():
    pdf = read(a_document([a_line("-39.50", unit="79.00")], terms="Déduit."))
    assert "Note de crédit" in pdf.text and "Montant crédité" in pdf.text and "47,80 €" in pdf.text
    assert "IBAN" not in pdf.text


def test_what_is_paid_already_is_taken_off():
    pdf = read(a_document([a_line("100.00")], prepaid=euros("21.00")))
    assert "Crédit utilisé" in pdf.text and "− 21,00 €" in pdf.text and "À payer 100,00 €" in pdf.text


def test_a_sign_that_no_font_draws_does_not_stop_an_invoice():
    assert printable({"a": ["Chez 🍕 Łucja", "1\u202f234"]}) == {"a": ["Chez ? Łucja", "1\xa0234"]}
    assert "Chez ? Ωμέγα" in read(a_document(buyer=replace(BUYER, legal_name="Chez 🍕 Ωμέγα"))).text


def test_a_hundred_and_fifty_establishments_fit():
    places = [UCCLE._replace(id=str(n), name=f"Adresse {n}") for n in range(150)]
    pdf = read(a_document([a_line("20.00", item="establishment", place=place) for place in places]))
    assert len(pdf.reader.pages) > 5 and "3 630,00 €" in pdf.text


def test_a_calculation_is_told_only_when_it_gives_the_amount():
    half = printed.calculation(2, euros("24.00"), 15, 30, euros("24.00"), "fr")
    assert half.replace("\xa0", " ") == "2 × 24,00 € × 15/30 jours"
    assert printed.calculation(1, euros("119.95"), 15, 30, euros("-59.97"), "fr") == "15/30 jours"
    assert printed.calculation(1, euros("79.00"), 30, 30, euros("79.00"), "en") == "1 × €79.00"
