"""The numbers of businesses, checked by python-stdnum: VAT, Belgian enterprise number, Peppol identifier."""

import re

from stdnum.be import vat as belgian
from stdnum.eu import vat as european
from stdnum.exceptions import InvalidChecksum, ValidationError

from webapp.domain.vat_treatment import PREFIXES

# ISO/IEC 6523 schemes of Belgium: enterprise number and VAT number.
ENTERPRISE_SCHEME, VAT_SCHEME = "0208", "9925"


class WrongNumber(ValueError):
    """Not such a number. `reason` is country, checksum or format."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def vat_number(text: str, country: str) -> str:
    """The compact VAT number with its prefix, which may be left out. Raises WrongNumber.

    >>> vat_number("0876.543.270", "BE"), vat_number("el 094259216", "GR")
    ('BE0876543270', 'EL094259216')
    """
    prefix = PREFIXES[country]
    compact = re.sub(r"[\s.\-/]", "", text).upper()
    if re.match(r"[A-Z]{2}", compact) and compact[:2] != prefix and compact[:2] in PREFIXES.values():
        raise WrongNumber("country")
    if not compact.startswith(prefix):
        compact = prefix + compact
    try:
        return str(european.validate(compact))
    except InvalidChecksum:
        raise WrongNumber("checksum") from None
    except ValidationError:
        raise WrongNumber("format") from None


def enterprise_number(text: str) -> str:
    """Ten digits, the last two 97 minus the first eight modulo 97. Raises WrongNumber.

    >>> enterprise_number("BE 0876.543.270")
    '0876543270'
    """
    if (
        len(text) == 10
        and text.isascii()
        and text.isdigit()
        and text[0] in "01"
        and belgian.checksum(text) == 0
    ):
        return text  # as it is stored: the billing run asks for everybody's
    try:
        return str(belgian.validate(text))
    except InvalidChecksum:
        raise WrongNumber("checksum") from None
    except ValidationError:
        raise WrongNumber("format") from None


def proposed_peppol_id(enterprise: str | None) -> str | None:
    """The identifier that a Belgian business has on Peppol: routing goes by its enterprise number."""
    return f"{ENTERPRISE_SCHEME}:{enterprise}" if enterprise else None


def peppol_id(text: str) -> str:
    """scheme:identifier, the Belgian ones with their check digits. Raises WrongNumber.

    >>> peppol_id("0208:0876.543.270"), peppol_id("9925:be0876543270"), peppol_id("0009:12345678900012")
    ('0208:0876543270', '9925:BE0876543270', '0009:12345678900012')
    """
    scheme, separator, value = text.replace(" ", "").partition(":")
    if not separator or not re.fullmatch(r"\d{4}", scheme) or not re.fullmatch(r"[\w.\-:]{3,50}", value):
        raise WrongNumber("format")
    if scheme == ENTERPRISE_SCHEME:
        return f"{scheme}:{enterprise_number(value)}"
    if scheme == VAT_SCHEME:
        return f"{scheme}:{vat_number(value, 'BE')}"
    return f"{scheme}:{value}"
