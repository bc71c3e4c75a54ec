"""The QR code that a banking application reads: EPC 069-12, a SEPA transfer ready to confirm."""

import io
from decimal import Decimal

from segno import helpers

from webapp.domain.money import Money


def payment_qr(name: str, iban: str, bic: str, amount: Money, communication: str) -> bytes:
    """An SVG. The Belgian structured communication goes in the text: the reference field is for ISO 11649."""
    code = helpers.make_epc_qr(
        name=name[:70],
        iban=iban,
        amount=Decimal(amount.cents).scaleb(-2),
        text=communication,
        bic=bic or None,
    )
    drawn = io.BytesIO()
    code.save(drawn, kind="svg", border=0, dark="#0d3640", xmldecl=False, nl=False)
    return drawn.getvalue()
