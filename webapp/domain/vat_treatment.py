"""Which VAT a customer's invoices carry, from what their billing details say (spec B3)."""

# The member states of the Union, by ISO code. In VAT numbers Greece is EL.
EU_COUNTRIES = (
    "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR",
    "HU", "IE", "IT", "LT", "LU", "LV", "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK",
)  # fmt: skip
PREFIXES = {country: "EL" if country == "GR" else country for country in EU_COUNTRIES}

DOMESTIC, REVERSE_CHARGE, FRANCHISE, EXEMPT = "domestic", "reverse_charge", "franchise", "exempt"
TREATMENTS = (DOMESTIC, REVERSE_CHARGE, FRANCHISE, EXEMPT)
AGREED = frozenset({FRANCHISE, EXEMPT})  # what no detail of a customer tells: the operator decides on a proof


def treatment_for(
    kind: str,
    country: str,
    vat_number: str | None,
    vat_check: str | None = None,
    agreed: str = DOMESTIC,
    seller_country: str = "BE",
) -> str:
    """domestic or reverse_charge; what only the operator agrees to, `franchise` and `exempt`, stays when it was `agreed`.

    Reverse charge asks for a business or public body of another member state with a VAT number of its country that
    the register has not refused (article 21 §2 of the Belgian VAT code). Everybody else pays the seller's VAT.

    >>> treatment_for("business", "FR", "FR40303265045"), treatment_for("consumer", "FR", None)
    ('reverse_charge', 'domestic')
    >>> treatment_for("business", "FR", "FR40303265045", vat_check="invalid")
    'domestic'
    >>> treatment_for("business", "BE", None, agreed="exempt")
    'exempt'
    """
    if agreed in AGREED:
        return agreed
    is_elsewhere = country != seller_country and country in PREFIXES
    has_number = vat_number is not None and vat_number.startswith(PREFIXES.get(country, "?"))
    if is_elsewhere and kind != "consumer" and has_number and vat_check != "invalid":
        return REVERSE_CHARGE
    return DOMESTIC
