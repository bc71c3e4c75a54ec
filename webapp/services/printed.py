"""An invoice as its PDF says it: every word translated and every amount written, ready for the page's template.

The document speaks its customer's language, whoever is looking. Amounts are shown as they are paid: those of a
credit note are positive, like those of its UBL.
"""

from collections.abc import Iterable
from itertools import groupby
from typing import Any

from webapp import filters
from webapp.adapters.ubl import structured
from webapp.domain.einvoice import Document, Line, Party, Problem
from webapp.domain.money import Money
from webapp.domain.periods import Period
from webapp.domain.vat import REVERSE_CHARGE
from webapp.i18n import FORMATS, _, date_text, gettext, t


def calculation(quantity: int, unit: Money, days: int, of_days: int, net: Money, locale: str) -> str:
    """ "4 × 2,00 €", or "2 × 24,00 € × 15/30 jours" for a share of the period.

    When that is not the amount to the cent, because it is what was left of another one, only the days are told.
    """
    price = f"{quantity} × {filters.money(unit, locale)}"
    if days == of_days:
        return price if (unit * quantity).cents == abs(net.cents) else ""
    exact = 2 * unit.cents * quantity * days + of_days
    if exact // (2 * of_days) != abs(net.cents):
        return t(locale, "%(days)s/%(of)s jours", days=days, of=of_days)
    return t(locale, "%(price)s × %(days)s/%(of)s jours", price=price, days=days, of=of_days)


def terms(document: Document) -> str:
    """How and when it is paid, in one sentence: the payment terms of both forms."""
    locale, means = document.language, document.means
    due = date_text(document.due_on, locale)
    if document.is_credit_note:
        return t(
            locale, "Ce montant est déduit de vos factures ouvertes, le reste de votre prochaine facture."
        )
    if document.payable.cents <= 0:
        return t(locale, "Rien à payer : votre crédit couvre cette facture.")
    if means.method == "direct_debit":
        return t(
            locale, "Prélevé le %(date)s sur le compte %(account)s, mandat %(mandate)s.",
            date=due, account=means.label or "SEPA", mandate=means.mandate,
        )  # fmt: skip
    if means.method == "card":
        return t(locale, "Débité le %(date)s de votre carte %(card)s.", date=due, card=means.label)
    return t(locale, "À payer pour le %(date)s au plus tard.", date=due)


def note(document_kind: str, locale: str) -> str:
    """The mention of the whole document; Peppol allows one (R002)."""
    if document_kind == "credit_note":
        return t(locale, "TVA à reverser à l’État dans la mesure où elle a été initialement déduite.")
    return ""


def printed(document: Document) -> dict[str, Any]:
    """The texts of the page, in the order the template takes them. Plain data, fit for JSON."""
    locale = document.language
    return {
        "language": locale,
        "title": t(locale, "Note de crédit") if document.is_credit_note else t(locale, "Facture"),
        "number": document.number,
        "issued_on": document.issued_on.isoformat(),
        "brand": document.seller.name,
        "copy": _copy(document),
        "facts": [{"label": label, "value": value} for label, value in _facts(document)],
        "seller": _party(document.seller, t(locale, "Vendeur"), locale),
        "buyer": _party(document.buyer, t(locale, "Facturé à"), locale),
        "columns": [
            t(locale, "Description"),
            t(locale, "Période"),
            t(locale, "Calcul"),
            t(locale, "Montant HTVA"),
        ],
        "groups": _groups(document),
        "vat": {
            "caption": t(locale, "TVA par taux"),
            "columns": [t(locale, "Taux"), t(locale, "Base"), t(locale, "TVA")],
            "rows": [
                [
                    filters.percent(group.rate.percent, locale),
                    filters.money(group.base * document.sign, locale),
                    filters.money(group.vat * document.sign, locale),
                ]
                for group in document.groups
            ],
        },
        "totals": [{"label": label, "amount": amount} for label, amount in _totals(document)],
        "payable": {
            "label": t(locale, "Montant crédité") if document.is_credit_note else t(locale, "À payer"),
            "amount": filters.money(document.payable, locale),
        },
        "payment": _payment(document),
        "mentions": list(_mentions(document)),
        "footer": _footer(document.seller),
        "page": t(locale, "Page {page} sur {pages}"),
        "attachment": t(locale, "Facture électronique (UBL)"),
    }


def _copy(document: Document) -> str:
    """The Peppol document is the original: its PDF says so, lest it be booked twice."""
    if document.channel != "peppol":
        return ""
    return t(document.language, "Copie : l’original est le document électronique envoyé par Peppol.")


def _facts(document: Document) -> Iterable[tuple[str, str]]:
    locale = document.language
    yield t(locale, "Date"), date_text(document.issued_on, locale)
    if not document.is_credit_note:
        yield t(locale, "Échéance"), date_text(document.due_on, locale)
    yield t(locale, "Période"), filters.period_text(document.period, locale)
    yield t(locale, "Votre référence"), document.buyer_reference
    if document.corrects:
        numbers = ", ".join(
            t(
                locale, "%(number)s du %(date)s",
                number=each.number, date=date_text(each.issued_on, locale),
            )
            for each in document.corrects
        )  # fmt: skip
        yield t(locale, "Corrige"), numbers


def _party(party: Party, label: str, locale: str) -> dict[str, Any]:
    numbers = []
    if party.vat_number:
        number = filters.vat_number(party.vat_number)
        numbers.append(t(locale, "TVA %(number)s", number=number))
    elif party.enterprise_number:
        number = filters.vat_number(f"BE{party.enterprise_number}")[3:]
        numbers.append(t(locale, "Entreprise %(number)s", number=number))
    lines = [party.street, f"{party.postcode} {party.city}"]
    if party.country != "BE":
        lines.append(FORMATS[locale].territories.get(party.country, party.country))
    return {"label": label, "name": party.legal_name, "lines": [*lines, *numbers, party.register]}


def _groups(document: Document) -> list[dict[str, Any]]:
    """The lines of each establishment together, those of the whole subscription first."""
    common = t(document.language, "Abonnement")
    ordered = sorted(document.lines, key=lambda line: (line.place is not None, _place(line), line.position))
    groups = []
    for place, lines in groupby(ordered, key=lambda line: line.place):
        title, detail = (place.name, place.address) if place else (common, "")
        groups.append({"title": title, "detail": detail, "lines": [_line(line, document) for line in lines]})
    return groups


def _place(line: Line) -> tuple[str, str]:
    return (line.place.name, line.place.id) if line.place else ("", "")


def _line(line: Line, document: Document) -> list[str]:
    return [
        line.name,
        _days(line.service),
        line.calculation,
        filters.money(line.net * document.sign, document.language),
    ]


def _days(period: Period) -> str:
    """01/11/2026 – 30/11/2026: dates in figures, which a column holds on one line."""
    first, last = f"{period.start:%d/%m/%Y}", f"{period.last_day:%d/%m/%Y}"
    return first if first == last else f"{first} – {last}"


def _totals(document: Document) -> Iterable[tuple[str, str]]:
    locale, sign = document.language, document.sign
    yield t(locale, "Total HTVA"), filters.money(document.net * sign, locale)
    yield t(locale, "TVA"), filters.money(document.vat * sign, locale)
    yield t(locale, "Total TVAC"), filters.money(document.total * sign, locale)
    if document.prepaid:
        yield t(locale, "Crédit utilisé"), filters.money(-document.prepaid, locale)


def _payment(document: Document) -> dict[str, Any]:
    locale, means = document.language, document.means
    rows = []
    if means.method == "transfer" and not document.is_credit_note and document.payable.cents > 0:
        rows = [
            [t(locale, "Bénéficiaire"), document.seller.legal_name],
            [t(locale, "IBAN"), filters.iban(means.iban)],
            *([[t(locale, "BIC"), means.bic]] if means.bic else []),
            [t(locale, "Communication"), structured(means.communication)],
        ]
    return {
        "title": t(locale, "Paiement"),
        "terms": document.terms,
        "rows": rows,
        "scan": t(locale, "Payez avec l’application de votre banque"),
        "alt": t(
            locale, "Code QR pour payer %(amount)s à %(seller)s",
            amount=filters.money(document.payable, locale), seller=document.seller.legal_name,
        ),
    }  # fmt: skip


def _mentions(document: Document) -> Iterable[str]:
    locale = document.language
    for group in document.groups:
        if group.exemption:
            yield group.exemption
    if any(group.rate == REVERSE_CHARGE for group in document.groups) and document.buyer.vat_number:
        number = filters.vat_number(document.buyer.vat_number)
        yield t(locale, "Numéro de TVA du preneur : %(number)s", number=number)
    if document.note:
        yield document.note
    if document.buyer.vat_number and not document.is_credit_note:
        yield t(
            locale,
            "En cas de retard de paiement, l’intérêt et l’indemnité forfaitaire de 40 € de la loi du 2 août 2002 "
            "sont dus de plein droit.",
        )


def _footer(seller: Party) -> list[str]:
    number = filters.vat_number(seller.vat_number) if seller.vat_number else ""
    address = f"{seller.street}, {seller.postcode} {seller.city}"
    rows = (seller.legal_name, address, number, seller.register), (seller.email, seller.phone)
    return [" · ".join(part for part in row if part) for row in rows]


# ── What keeps a document from being issued, in words ────────────────────────────────────────────────────────────

SUBJECTS = {
    "seller": _("Vendeur"),
    "buyer": _("Client"),
    "document": _("Document"),
    "line": _("Ligne"),
}
FIELDS = {
    "legal_name": _("nom légal"),
    "street": _("rue et numéro"),
    "postcode": _("code postal"),
    "city": _("localité"),
    "country": _("pays"),
    "vat_number": _("numéro de TVA"),
    "enterprise_number": _("numéro d’entreprise"),
    "peppol_id": _("identifiant Peppol"),
    "buyer_reference": _("référence"),
    "vat_treatment": _("régime de TVA"),
    "payment_reference": _("référence du mandat"),
    "creditor_id": _("identifiant de créancier SEPA"),
    "iban": _("IBAN"),
    "lines": _("lignes"),
    "description": _("description"),
    "quantity": _("quantité"),
    "exemption": _("motif d’exemption"),
    "net": _("total HTVA"),
    "vat_breakdown": _("TVA par taux"),
    "vat": _("total de la TVA"),
    "total": _("total TVAC"),
    "kind": _("signe du total"),
    "prepaid": _("crédit utilisé"),
}
PROBLEMS = {
    "missing": _("%(subject)s, %(field)s : à compléter."),
    "wrong_number": _("%(subject)s, %(field)s : les chiffres de contrôle ne correspondent pas, vérifiez chaque chiffre."),
    "unprintable": _("%(subject)s, %(field)s : contient un signe qui ne s’imprime pas, retapez ce texte."),
    "not_the_sum": _("%(subject)s, %(field)s : n’est pas la somme de ses parties, au centime près."),
    "not_allowed": _("%(subject)s, %(field)s : ne convient pas à ce document."),
}  # fmt: skip


def explain(problem: Problem, locale: str) -> str:
    """One sentence: whose field, which one, and what to mend."""
    subject, field = gettext(SUBJECTS[problem.subject], locale), gettext(FIELDS[problem.field], locale)
    return gettext(PROBLEMS[problem.code], locale, subject=subject, field=field)
