"""What the team keeps of the accounts: the words by which one is found, and the notes for colleagues."""

import uuid
from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from webapp.models.base import Base, Code, NumberKey

LONGEST_TERM = 120
# Compared byte by byte on both databases: the beginning of a word is then one stretch of the index, whatever the
# language of the server.
_PLAIN = String(LONGEST_TERM).with_variant(String(LONGEST_TERM, collation="C"), "postgresql")


class SearchTerm(Base):
    """One way to find an account: what is typed is compared with the beginning of `term`.

    `services.search_terms` writes them from the rows they repeat; `flask reindex` makes them all again.
    """

    __tablename__ = "search_terms"
    __table_args__ = (
        Index("ix_search_terms_term", "term"),
        Index("ix_search_terms_account_term", "account_id", "term"),
    )

    id: Mapped[NumberKey]
    account_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("accounts.id"))
    kind: Mapped[Code]  # name, company, email, person, vat, iban … as search_terms.KINDS
    term: Mapped[str] = mapped_column(_PLAIN)
    shown: Mapped[str] = mapped_column(String(255))  # as it is written where it comes from


class AccountNote(Base):
    """What a colleague should know. Never shown to the client; erased when the account is closed (U4)."""

    __tablename__ = "account_notes"
    __table_args__ = (Index("ix_account_notes_account", "account_id", "id"),)

    id: Mapped[NumberKey]
    account_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("accounts.id"))
    text: Mapped[str] = mapped_column(Text)
    written_by: Mapped[str]
    written_by_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    written_at: Mapped[datetime]
