"""documents: freeze what their files show of establishments and exemptions, and follow each way out

Revision 7be2f4a9c610, after c1a645e24b5c. Invoices issued before take the present names of their establishments, and the
mention of a rate of zero that their files would have borne.
"""

from itertools import groupby

import sqlalchemy as sa
from alembic import op

revision = "7be2f4a9c610"
down_revision = "c1a645e24b5c"
branch_labels = None
depends_on = None

SHOWN = ("name", "street", "postcode", "city", "number")
INVOICES = sa.table(
    "invoices",
    sa.column("id", sa.BigInteger()),
    sa.column("language", sa.String()),
    sa.column("vat_breakdown", sa.JSON()),
    sa.column("places", sa.JSON()),
)
LINES = sa.table(
    "invoice_lines", sa.column("invoice_id", sa.BigInteger()), sa.column("establishment_id", sa.Uuid())
)
ESTABLISHMENTS = sa.table(
    "establishments", sa.column("id", sa.Uuid()), *(sa.column(name, sa.String()) for name in SHOWN)
)
REVERSE_CHARGE = {
    "fr": "Autoliquidation\N{NO-BREAK SPACE}: article 21, § 2 du Code de la TVA, article 196 de la directive 2006/112/CE.",
    "nl": "Btw verlegd: artikel 21, § 2 van het btw-wetboek, artikel 196 van Richtlijn 2006/112/EG.",
    "en": "Reverse charge: article 21, § 2 of the Belgian VAT Code, article 196 of Directive 2006/112/EC.",
}
FRANCHISE = {
    "fr": "Régime particulier de la franchise de taxe.",
    "nl": "Bijzondere vrijstellingsregeling van belasting.",
    "en": "Special exemption scheme for small enterprises.",
}
EXEMPTIONS = {"AE": ("VATEX-EU-AE", REVERSE_CHARGE), "E": ("", FRANCHISE)}


def upgrade() -> None:
    op.add_column("invoices", sa.Column("places", sa.JSON(), server_default="{}", nullable=False))
    op.add_column("invoice_documents", sa.Column("receiver", sa.String(), nullable=True))
    op.add_column("invoice_documents", sa.Column("turn", sa.Integer(), server_default="1", nullable=False))
    op.add_column("invoice_documents", sa.Column("next_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("invoice_documents", sa.Column("problem", sa.String(length=60), nullable=True))
    _freeze_places()
    _freeze_exemptions()


def downgrade() -> None:
    for column in ("problem", "next_at", "turn", "receiver"):
        op.drop_column("invoice_documents", column)
    op.drop_column("invoices", "places")


def _freeze_places() -> None:
    connection = op.get_bind()
    named = connection.execute(
        sa.select(LINES.c.invoice_id, ESTABLISHMENTS)
        .join_from(LINES, ESTABLISHMENTS, ESTABLISHMENTS.c.id == LINES.c.establishment_id)
        .distinct()
        .order_by(LINES.c.invoice_id)
    ).all()
    for invoice_id, rows in groupby(named, key=lambda row: row.invoice_id):
        places = {row.id.hex: {name: getattr(row, name) for name in SHOWN} for row in rows}
        connection.execute(INVOICES.update().where(INVOICES.c.id == invoice_id).values(places=places))


def _freeze_exemptions() -> None:
    connection = op.get_bind()
    with_zero = sa.cast(INVOICES.c.vat_breakdown, sa.Text()).like('%"0"%')  # the rate, as text
    found = connection.execute(
        sa.select(INVOICES.c.id, INVOICES.c.language, INVOICES.c.vat_breakdown).where(with_zero)
    ).all()
    for invoice_id, language, breakdown in found:
        groups = [group | _mention(group, language) for group in breakdown]
        connection.execute(INVOICES.update().where(INVOICES.c.id == invoice_id).values(vat_breakdown=groups))


def _mention(group: dict[str, object], language: str) -> dict[str, str]:
    if group["category"] not in EXEMPTIONS or "exemption" in group:
        return {}
    code, texts = EXEMPTIONS[str(group["category"])]
    return {"exemption_code": code, "exemption": texts.get(language, texts["fr"])}
