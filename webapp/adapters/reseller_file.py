"""The file of partners: what each agreed on with the operator, its looks, its sites, and what it pays.

Read with the same care as the catalogue: every mistake is told with its line. docs/catalogue.md shows the fields.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from webapp.adapters.operator_files import billing_of, e_mail_of
from webapp.adapters.yaml_file import Document, Entry
from webapp.domain.access import ResellerRole, Role
from webapp.domain.catalogue import FREQUENCIES, LANGUAGES
from webapp.domain.colours import Colour
from webapp.domain.refusals import BadOrigin, BrandTooPale
from webapp.domain.resale import ONCE
from webapp.domain.reselling import BilledParty, InvoicesShown, PricesShown, origin_of
from webapp.domain.themes import Font, Radius, Tokens, palette
from webapp.i18n import _

ACTIONS = ("change_plan", "options", "establishments", "terminate", "payment", "billing_details")
PRICED = ("plan", "option", "one_off", "establishment")


@dataclass(frozen=True)
class WholesaleFile:
    """What a reseller pays for one unit and a whole period, VAT excluded."""

    item: str
    ref: str  # code of the plan or of the option; for an establishment, of the plan
    frequency: str
    from_unit: int
    amount_cents: int


@dataclass(frozen=True)
class CompanyFile:
    """The reseller as a customer: the account that receives its documents."""

    reference: str
    name: str
    billing: dict[str, Any]  # the columns of billing_details


@dataclass(frozen=True)
class ColleagueFile:
    """Somebody who works for the reseller, in the demo."""

    email: str
    name: str
    role: ResellerRole
    language: str | None


@dataclass(frozen=True)
class ResellerFile:
    slug: str
    name: str
    contact_name: str
    contact_email: str
    contact_phone: str
    allowed_actions: tuple[str, ...]
    languages: tuple[str, ...]
    billed: BilledParty
    prices: PricesShown
    invoices: InvoicesShown
    role_cap: Role
    origins: tuple[str, ...]
    theme: Tokens | None
    company: CompanyFile | None
    wholesale: tuple[WholesaleFile, ...]
    people: tuple[ColleagueFile, ...]


def read_resellers(path: Path) -> list[ResellerFile]:
    """The partners. Raises BrokenFile."""
    document = Document(path)
    root = document.root()
    found = [_reseller(entry) for entry in root.entries("resellers", label="slug")]
    root.close()
    document.finish()
    return found


def _reseller(entry: Entry) -> ResellerFile:
    contact = entry.entry("contact")
    billed = BilledParty(entry.choice("billed", [*BilledParty], default=BilledParty.CLIENT))
    reseller = ResellerFile(
        slug=entry.code("slug"),
        name=entry.text("name"),
        contact_name=contact.text("name") if contact else "",
        contact_email=e_mail_of(contact, "email") if contact else "",
        contact_phone=contact.text("phone", default="") if contact else "",
        allowed_actions=_known(entry, "allowed_actions", ACTIONS),
        languages=_known(entry, "languages", LANGUAGES) if entry.has("languages") else tuple(LANGUAGES),
        billed=billed,
        prices=PricesShown(entry.choice("prices_shown", [*PricesShown], default=PricesShown.RESELLER_RETAIL)),
        invoices=InvoicesShown(
            entry.choice("invoices_shown", [*InvoicesShown], default=InvoicesShown.PLATFORM)
        ),
        role_cap=Role(entry.choice("role_cap", [*Role], default=Role.ADMINISTRATOR)),
        origins=tuple(_origin(site) for site in entry.entries("sites", required=False, label="-")),
        theme=_theme(entry),
        company=_company(entry),
        wholesale=tuple(_wholesale(price) for price in entry.entries("wholesale", required=False, label="-")),
        people=tuple(_colleague(each) for each in entry.entries("people", required=False, label="-")),
    )
    if billed is BilledParty.RESELLER and reseller.company is None:
        entry.complain("billed", _("Sans « company », personne ne recevrait les factures de ce partenaire."))
    if contact:
        contact.close()
    entry.close()
    return reseller


def _known(entry: Entry, name: str, choices: Sequence[str]) -> tuple[str, ...]:
    found = []
    for code, node in entry.codes(name):
        if code not in choices:
            entry.unknown(node, entry.at(name), code, choices)
        found.append(code)
    return tuple(found)


def _colleague(entry: Entry) -> ColleagueFile:
    role = entry.choice("role", [*ResellerRole])
    colleague = ColleagueFile(
        e_mail_of(entry, "email").lower(),
        entry.text("name"),
        ResellerRole(role) if role else ResellerRole.READER,
        entry.choice("language", LANGUAGES, default="") or None,
    )
    entry.close()
    return colleague


def _origin(site: Entry) -> str:
    typed = site.text("origin")
    site.close()
    try:
        return origin_of(typed)
    except BadOrigin:
        if typed:
            site.complain("origin", _("Attendu : une origine exacte, telle que https://espace.exemple.be."))
        return ""


def _theme(reseller: Entry) -> Tokens | None:
    entry = reseller.entry("theme", required=False)
    if entry is None:
        return None
    typed = entry.text("brand")
    radius = Radius(entry.choice("radius", [*Radius], default=Radius.ROUND) or Radius.ROUND)
    font = Font(entry.choice("font", [*Font], default=Font.FIGTREE) or Font.FIGTREE)
    entry.close()
    try:
        brand = Colour.parse(typed)
        palette(brand)
    except ValueError:
        entry.complain("brand", _("Attendu : une couleur telle que « #a3195b »."))
        return None
    except BrandTooPale as refused:
        entry.complain(
            "brand", _("Trop pâle pour rester lisible. La plus proche : %(value)s."), value=refused.suggestion
        )
        return None
    return Tokens(brand, radius, font)


def _company(reseller: Entry) -> CompanyFile | None:
    entry = reseller.entry("company", required=False)
    if entry is None:
        return None
    company = CompanyFile(entry.text("reference", most=60), entry.text("name", most=120), billing_of(entry))
    entry.close()
    return company


def _wholesale(entry: Entry) -> WholesaleFile:
    price = WholesaleFile(
        item=entry.choice("item", PRICED),
        ref=entry.code("ref"),
        frequency=entry.choice("frequency", (*FREQUENCIES, ONCE)),
        from_unit=entry.integer("from_unit", 1, 10_000, default=1),
        amount_cents=entry.cents("amount"),
    )
    entry.close()
    return price
