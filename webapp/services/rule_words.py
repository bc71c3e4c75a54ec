"""What the official rules found in a document, in words: whose field, what is wrong, what to mend.

The rules speak English, of XML. Those that our documents may break have a sentence here; for the others the official text
is shown as it is.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from webapp.i18n import Sentence, _, gettext
from webapp.services.printed import FIELDS, SUBJECTS

# An issued document never changes: what its data got wrong is corrected at the source, then billed anew.
OF_THE_BUYER = _(
    "Corrigez les coordonnées de facturation du client, puis créditez ce document et facturez à nouveau : un document "
    "émis ne change plus."
)
OF_THE_SELLER = _(
    "Corrigez la fiche de la société émettrice, puis créditez ce document et facturez à nouveau : un document émis ne "
    "change plus."
)
OF_THE_PAYMENT = _(
    "Complétez le moyen de paiement du client, puis créditez ce document et facturez à nouveau : un document émis ne "
    "change plus."
)
OF_THE_PORTAL = _(
    "Aucune donnée n’est à corriger ici : transmettez la règle et l’emplacement à l’équipe technique. Si les règles "
    "viennent de changer, vérifiez à nouveau après leur remplacement."
)


class Words(NamedTuple):
    """What one rule means. `subject` and `field` are names of `printed`, empty where the place in the file tells them."""

    sentence: Sentence
    mend: Sentence
    subject: str = ""
    field: str = ""


_NUMBER = _("Le numéro d’entreprise n’est pas valable : ses chiffres de contrôle ne correspondent pas.")
_SUM = _("Un montant n’est pas la somme ou le produit de ses parties.")
_CODE = _("Un code ne figure pas dans la liste officielle.")

# The first pattern that fits the rule's name has the words.
RULES: tuple[tuple[re.Pattern[str], Words], ...] = tuple(
    (re.compile(pattern), words)
    for pattern, words in (
        ("PEPPOL-EN16931-R010", Words(_("L’adresse Peppol du client manque."), OF_THE_BUYER, "buyer", "peppol_id")),
        ("PEPPOL-EN16931-R020", Words(_("L’adresse Peppol du vendeur manque."), OF_THE_SELLER, "seller", "peppol_id")),
        (
            "PEPPOL-EN16931-R003",
            Words(_("Il manque la référence du client ou son bon de commande."), OF_THE_BUYER, "buyer", "buyer_reference"),
        ),
        (
            "PEPPOL-EN16931-R061",
            Words(_("Un prélèvement demande la référence du mandat."), OF_THE_PAYMENT, "buyer", "payment_reference"),
        ),
        ("PEPPOL-EN16931-R002", Words(_("Le document porte plus d’une note."), OF_THE_PORTAL)),
        ("PEPPOL-EN16931-R008", Words(_("Le document contient un élément vide."), OF_THE_PORTAL)),
        (
            "PEPPOL-EN16931-R11[01]",
            Words(_("La période d’une ligne sort de celle du document."), OF_THE_PORTAL, "line"),
        ),
        (
            "BR-CO-09",
            Words(_("Le numéro de TVA doit commencer par le code de son pays."), OF_THE_BUYER, "", "vat_number"),
        ),
        ("PEPPOL-EN16931-(R04[0-4]|R046|R120|R121|R130)|BR-CO-1[0-8]|BR-DEC-.*|BR-(S|Z|E|AE|IC|G|O)-0[89]", Words(_SUM, OF_THE_PORTAL)),
        ("PEPPOL-COMMON-R043", Words(_NUMBER, OF_THE_BUYER, "", "enterprise_number")),
        ("BR-06", Words(_("Le nom légal manque."), OF_THE_SELLER, "seller", "legal_name")),
        ("BR-07", Words(_("Le nom légal manque."), OF_THE_BUYER, "buyer", "legal_name")),
        ("BR-0[89]", Words(_("L’adresse n’est pas complète."), OF_THE_SELLER, "seller", "country")),
        ("BR-1[01]", Words(_("L’adresse n’est pas complète."), OF_THE_BUYER, "buyer", "country")),
        (
            "BR-AE-0[2-4]",
            Words(
                _("L’autoliquidation demande le numéro de TVA du vendeur et celui du client."),
                OF_THE_BUYER,
                "buyer",
                "vat_number",
            ),
        ),
        ("BR-S-0[2-4]", Words(_("Le numéro de TVA du vendeur manque."), OF_THE_SELLER, "seller", "vat_number")),
        (
            "BR-(AE|E|Z|O|G|IC)-10",
            Words(_("Une TVA de zéro demande son motif."), OF_THE_PORTAL, "document", "exemption"),
        ),
        ("BR-(50|61)", Words(_("Un virement demande l’IBAN du vendeur."), OF_THE_SELLER, "seller", "iban")),
        ("BR-CL-.*", Words(_CODE, OF_THE_PORTAL)),
        ("XSD", Words(_("La structure du fichier n’est pas celle d’UBL 2.1."), OF_THE_PORTAL)),
        ("XML", Words(_("Le fichier n’est pas du XML."), OF_THE_PORTAL)),
        ("SCHEMATRON", Words(_("Une règle n’a pas pu être évaluée sur ce document."), OF_THE_PORTAL)),
    )
)  # fmt: skip
OTHERWISE = Words(_("Une règle officielle n’est pas respectée ; son texte est ci-dessous."), OF_THE_PORTAL)

# Where a path of the XML leads, for the rules that do not say it themselves.
_SUBJECTS = {
    "AccountingSupplierParty": "seller",
    "AccountingCustomerParty": "buyer",
    "InvoiceLine": "line",
    "CreditNoteLine": "line",
}
_FIELDS = {
    "PartyTaxScheme": "vat_number",
    "PartyLegalEntity": "enterprise_number",
    "EndpointID": "peppol_id",
    "StreetName": "street",
    "CityName": "city",
    "PostalZone": "postcode",
    "IdentificationCode": "country",
    "RegistrationName": "legal_name",
    "BuyerReference": "buyer_reference",
    "PaymentMandate": "payment_reference",
    "PayeeFinancialAccount": "iban",
    "TaxTotal": "vat_breakdown",
    "LegalMonetaryTotal": "total",
    "InvoicedQuantity": "quantity",
    "CreditedQuantity": "quantity",
    "Item": "description",
}
_STEP = re.compile(r"(\w+)(?:\[(\d+)\])?$")


@dataclass(frozen=True, slots=True)
class Explained:
    """One finding. `official` is the rule's own text, in English; `path` its place in the file."""

    rule: str
    is_fatal: bool
    where: str
    sentence: str
    mend: str
    official: str
    path: str


def explain(finding: Mapping[str, Any], locale: str) -> Explained:
    """A finding as `InvoiceDocument.findings` keeps it, in the language of whoever reads."""
    rule, path = str(finding.get("rule", "")), str(finding.get("location", ""))
    words = next((words for pattern, words in RULES if pattern.fullmatch(rule)), OTHERWISE)
    subject, field, number = _place(path)
    subject, field = words.subject or subject, words.field or field
    mend = words.mend
    if mend is OF_THE_BUYER and subject == "seller":
        mend = OF_THE_SELLER
    return Explained(
        rule,
        finding.get("flag") == "fatal",
        _where(subject, field, number, locale),
        gettext(words.sentence, locale),
        gettext(mend, locale),
        str(finding.get("text", "")),
        path,
    )


def _place(path: str) -> tuple[str, str, str]:
    """(subject, field, number of the line) of /Invoice[1]/InvoiceLine[3]/Item[1]."""
    subject, field, number = "document", "", ""
    for step in path.split("/"):
        found = _STEP.search(step)
        if found is None:
            continue
        name = found[1]
        if name in _SUBJECTS:
            subject = _SUBJECTS[name]
            number = found[2] or "" if subject == "line" else ""
        field = _FIELDS.get(name, field)
    return subject, field, number


def _where(subject: str, field: str, number: str, locale: str) -> str:
    said = gettext(SUBJECTS[subject], locale)
    if number:
        said = f"{said} {number}"
    return f"{said}, {gettext(FIELDS[field], locale)}" if field else said
