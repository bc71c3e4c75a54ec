"""The checker gives the official verdict, and our own documents pass it. Left out where there is no rules folder."""

import json
import os
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from tests.support.documents import (
    DIRECT_DEBIT,
    DUTCH_BUYER,
    NOVEMBER,
    REDUCED,
    SELLER,
    UCCLE,
    a_document,
    a_line,
)  # fmt: skip
from webapp.adapters import ubl
from webapp.adapters.peppol_rules import RulesUnusable, rules_of, stylesheet
from webapp.domain.einvoice import Means, Reference, problems
from webapp.domain.money import euros
from webapp.domain.periods import Period
from webapp.domain.vat import FRANCHISE, REVERSE_CHARGE


def expected_verdicts() -> list[tuple[str, list[str]]]:
    file = Path(os.environ.get("PEPPOL_RULES_FOLDER", "")) / "expected.json"
    if not file.is_file():
        return []
    verdicts = json.loads(file.read_text(encoding="utf-8"))
    return [(name, rules) for kind in verdicts.values() for name, rules in kind.items()]


@pytest.mark.parametrize(("name", "rules"), expected_verdicts(), ids=lambda value: str(value))
def test_each_published_file_gets_its_verdict(peppol_rules, peppol_folder, name, rules):
    findings = peppol_rules.check((peppol_folder / name).read_bytes())
    assert sorted({finding.rule for finding in findings if finding.is_fatal}) == sorted(rules)


YEAR = Period(date(2026, 11, 1), date(2027, 11, 1))
HALF = Period(date(2026, 11, 16), date(2026, 12, 1))
OURS = {
    "domestic": a_document(),
    "two rates": a_document([a_line("56.50"), a_line("12.35", vat=REDUCED, name="Livre")]),
    "credit note": a_document(
        [a_line("-39.50", unit="79.00", service=HALF), a_line("12.00", unit="24.00", item="option", service=HALF)],
        note="TVA à reverser à l’État dans la mesure où elle a été initialement déduite.",
        corrects=(Reference("F2026-00042", date(2026, 11, 1)), Reference("F2026-00043", date(2026, 11, 9))),
    ),
    "direct debit": a_document(means=DIRECT_DEBIT),
    "card": a_document(means=Means("card", "090933755493", label="Bancontact •••• 4412")),
    "reverse charge": a_document([a_line("79.00", vat=REVERSE_CHARGE)], buyer=DUTCH_BUYER, language="nl"),
    "franchise": a_document([a_line("79.00", vat=FRANCHISE)]),
    "annual": a_document([a_line("790.00", service=YEAR, whole=YEAR)], period=YEAR),
    "per establishment": a_document(
        [
            a_line("79.00"),
            a_line("10.67", quantity=1, unit="20.00", item="establishment", place=UCCLE, service=HALF),
            a_line("12.50", quantity=150, unit="0.09", item="option", name="SMS", place=UCCLE),
        ]
    ),
    "prepaid in part": a_document(prepaid=euros("50.00")),
    "prepaid in full": a_document([a_line("100.00")], prepaid=euros("121.00")),
    "giving back inside an invoice": a_document([a_line("79.00"), a_line("-24.00", item="option")]),
    "earlier line": a_document([a_line("79.00"), a_line("5.00", service=Period(date(2026, 10, 20), date(2026, 11, 1)))]),
}  # fmt: skip


@pytest.mark.parametrize("document", OURS.values(), ids=OURS.keys())
def test_our_documents_are_valid_and_right_to_the_cent(peppol_rules, document):
    assert problems(document) == ()
    assert peppol_rules.check(ubl.build(document, pdf=b"%PDF-1.7 a copy")) == ()


def test_a_document_that_breaks_a_rule_says_which_and_where(peppol_rules):
    document = a_document(seller=replace(SELLER, endpoint=None))
    [finding] = [each for each in peppol_rules.check(ubl.build(document)) if each.is_fatal]
    assert finding.rule == "PEPPOL-EN16931-R020"
    assert finding.location == "/Invoice[1]/AccountingSupplierParty[1]/Party[1]"
    assert "electronic address" in finding.text


def test_what_is_not_an_invoice_is_told_and_never_fails(peppol_rules):
    assert [each.rule for each in peppol_rules.check(b"<a><b></a>")] == ["XML"]
    assert [each.rule for each in peppol_rules.check(b"<Order/>")] == ["XSD"]
    with_entity = b'<!DOCTYPE Invoice [<!ENTITY a SYSTEM "file:///etc/passwd">]><Invoice>&a;</Invoice>'
    assert [each.rule for each in peppol_rules.check(with_entity)] == ["XSD"]


def test_a_rule_that_cannot_be_worked_out_is_a_fatal_finding(peppol_rules):
    raising = peppol_rules._saxon.new_xslt30_processor().compile_stylesheet(
        stylesheet_text=stylesheet(
            b'<schema xmlns="http://purl.oclc.org/dsdl/schematron"><ns prefix="xs" '
            b'uri="http://www.w3.org/2001/XMLSchema"/><pattern><rule context="/*">'
            b'<assert id="A" test="xs:decimal(string(@none)) gt 0">a</assert></rule></pattern></schema>'
        )
    )
    [finding] = peppol_rules._run(raising, "<Invoice/>")
    assert (finding.rule, finding.is_fatal) == ("SCHEMATRON", True)


def test_the_version_of_the_rules_is_known(peppol_rules):
    assert "PEPPOL-EN16931-UBL 3." in peppol_rules.version
    assert "CEN-EN16931-UBL 1." in peppol_rules.version


def test_without_a_folder_there_are_no_rules_and_a_wrong_folder_says_so(tmp_path):
    assert rules_of(None) is None
    with pytest.raises(RulesUnusable, match=r"holds no \.sch file"):
        rules_of(tmp_path)


def test_the_first_rule_of_a_pattern_that_matches_wins():
    sheet = stylesheet(
        b'<schema xmlns="http://purl.oclc.org/dsdl/schematron"><pattern><rule context="a"><assert test="b" id="1"/>'
        b'</rule><rule context="*"><report test="c" id="2"/></rule></pattern></schema>'
    )
    assert sheet.index('priority="2"') < sheet.index('priority="1"')
    assert 'test="not(b)"' in sheet and 'test="c"' in sheet


def test_the_period_of_the_document_covers_its_lines():
    assert OURS["earlier line"].covered == Period(date(2026, 10, 20), NOVEMBER.end)
