"""Lives of accounts that pay through the bank, told by pages and commands with the clock moved (D3, D5)."""

import json
from datetime import date

import pytest
from sqlalchemy import select

from tests.builders import Signed, a_seller, a_subscription, a_user, noon
from tests.support import mock_bank
from tests.support.bank_files import Line, camt, coda
from tests.support.page import Page
from tests.support.signing_in import sign_in
from webapp.models.accounts import Account, User
from webapp.models.invoices import Invoice
from webapp.models.payments import Collection, DebitBatch, Mandate
from webapp.models.records import OutboxMessage
from webapp.services import billing

IBAN, NEW_IBAN = "BE71096123456769", "BE43068999999501"


class Life:
    """An account, its owner's browser, the team's browser and the operator's timer."""

    def __init__(self, app, session, clock, tmp_path, starts_on: date, iban: str = "") -> None:
        self.app, self.session, self.clock, self.folder = app, session, clock, tmp_path
        clock.set(starts_on)
        if iban:
            a_seller(session).iban = iban
            a_seller(session).bic = mock_bank.CREDITOR_BIC
        self.signed: Signed = a_subscription(session, starts_on=starts_on)
        owner = a_user(session, self.signed.account)
        self.email, self.owner_id = owner.email, owner.id
        self.team_id = a_user(session, staff_role="billing").id
        session.commit()

    @property
    def owner(self):
        return self._browser(self.owner_id)

    @property
    def team(self):
        return self._browser(self.team_id)

    def _browser(self, user_id):
        """Signed in anew: weeks have passed since the last time."""
        client = self.app.test_client()
        sign_in(client, self.session, self.session.get(User, user_id))
        self.session.rollback()
        return client

    def run(self, *args: str) -> dict[str, object] | str:
        answer = self.app.test_cli_runner().invoke(args=list(args))
        assert answer.exit_code == 0, answer.output
        return json.loads(answer.stdout.splitlines()[-1]) if "--json" in args else answer.output

    def give(self, content: bytes) -> dict[str, object]:
        file = self.folder / f"releve-{len(list(self.folder.iterdir()))}"
        file.write_bytes(content)
        return self.run("bank-file", str(file), "--json")

    def sign(self, iban: str) -> Page:
        page = Page.get(self.owner, f"/abonnements/{self.signed.id}/moyen-de-paiement/domiciliation")
        shown = page.form("account").fill(holder="Parc Horeca SRL", iban=iban).submit()
        done = shown.form("confirm").fill(signed=True).submit()
        assert done.status == 200
        return done

    def bill(self, on: date) -> str:
        """The invoice of that day, mailed; its number."""
        self.clock.set(on)
        self.run("bill")
        self.run("send-invoices")
        number = self.read(select(Invoice.number).order_by(Invoice.id.desc()))
        return str(number)

    def collect(self, on: date) -> bytes | None:
        """Run the timer of that day; the file it made, downloaded by the team."""
        self.clock.set(on)
        batch = self.run("collect", "--json")["batch"]
        if batch is None:
            return None
        team = self.team
        page = Page.get(team, f"/equipe/banque/prelevements/{batch['name']}")
        values = {name: each[0] for name, each in page.form("download").values.items()}
        return team.post(page.address, data=values).data

    def invoice(self, number: str) -> Page:
        return Page.get(self.owner, f"/abonnements/{self.signed.id}/factures/{number}")

    def method(self) -> str:
        return Page.get(self.owner, f"/abonnements/{self.signed.id}/moyen-de-paiement").text("main")

    def left(self, number: str) -> int:
        return self.read(select(Invoice.total_cents - Invoice.paid_cents).where(Invoice.number == number))

    def read(self, statement):
        self.session.expire_all()
        found = self.session.scalars(statement).first()
        self.session.rollback()
        return found

    def last_mail(self) -> str:
        return self.read(
            select(OutboxMessage.subject + "\n" + OutboxMessage.text_body)
            .where(OutboxMessage.recipient == self.email)
            .order_by(OutboxMessage.id.desc())
        )


@pytest.fixture
def life(app, session, clock, tmp_path):
    def begin(starts_on: date, iban: str = "") -> Life:
        return Life(app, session, clock, tmp_path, starts_on, iban)

    return begin


def test_a_mandate_pays_is_refused_for_want_of_money_then_for_good_and_is_signed_again(life):
    """Against a bank in a process of its own: our file goes in, its statements come back."""
    told = life(date(2026, 11, 16), iban=mock_bank.CREDITOR_IBAN)
    told.sign(IBAN)
    december = told.bill(date(2026, 12, 16))  # due on 30 December, a Wednesday
    with mock_bank.running(date(2026, 12, 16)) as bank:
        assert (
            told.collect(date(2026, 12, 24)) is None
        )  # planned, announced by the invoice; too early for the bank
        bank.move_to(date(2026, 12, 28))
        file = told.collect(date(2026, 12, 28))
        assert told.collect(date(2026, 12, 28)) is None  # run twice, no second file
        # November's invoice was issued before the mandate: announced by a mail of its own, collected too.
        debits = bank.take(file)
        assert debits, "the bank takes the file"
        bank.move_to(date(2026, 12, 31))
        told.clock.set(date(2026, 12, 31))
        for statement in bank.collect("camt.053"):
            told.give(statement)
        assert told.left(december) == 0
        assert "Payée" in told.invoice(december).text("main")

        january = told.bill(date(2027, 1, 16))  # due on Saturday the 30th: collected on Monday 1 February
        bank.move_to(date(2027, 1, 28))
        assert bank.take(told.collect(date(2027, 1, 28)))
        bank.refuse(january, "AM04")
        told.clock.set(date(2027, 1, 29))
        reports = [told.give(each) for each in bank.collect("pain.002")]
        assert sum(each["states"].get("matched", 0) for each in reports) == 1
        assert told.left(january) > 0
        assert "solde insuffisant sur le compte" in told.last_mail() and "4 février 2027" in told.last_mail()
        bank.move_to(date(2027, 2, 2))
        assert bank.take(
            told.collect(date(2027, 2, 2))
        )  # the second attempt, FRST or RCUR as the first was refused
        bank.move_to(date(2027, 2, 5))
        told.clock.set(date(2027, 2, 5))
        for statement in bank.collect("camt.053"):
            told.give(statement)
        assert told.left(january) == 0

        bank.refuse(f"{january}-2", "MD01")
        bank.move_to(date(2027, 2, 8))
        told.clock.set(date(2027, 2, 8))
        for statement in bank.collect("camt.053"):
            told.give(statement)
        assert told.left(january) > 0
        assert "mandat inconnu de la banque" in told.last_mail()
        assert "opposition" in told.method()
        assert told.read(select(Mandate.status)) == "cancelled"

        told.sign(NEW_IBAN)
        february = told.bill(date(2027, 2, 16))
        told.collect(date(2027, 2, 16))  # plans what is left of January on the new mandate, and announces it
        bank.move_to(date(2027, 2, 26))
        file = told.collect(date(2027, 2, 26))
        assert bank.take(file)
        bank.move_to(date(2027, 3, 3))
        told.clock.set(date(2027, 3, 3))
        for kind in ("camt.054", "camt.053"):  # told twice, by the notices and by the statements
            for message in bank.collect(kind):
                told.give(message)
        assert (told.left(january), told.left(february)) == (0, 0)


def test_a_transfer_arrives_by_coda_two_days_after_it_was_announced(life):
    told = life(date(2026, 8, 1))
    numbers = [told.bill(date(2026, month, 1)) for month in (8, 9, 10)]
    told.clock.set(date(2026, 10, 16))
    told.run("remind")
    assert told.read(select(Account.suspended_on)) == date(2026, 10, 16)
    page = Page.get(told.owner, f"/abonnements/{told.signed.id}/payer", facture=numbers[0])
    page.form("announce").submit()
    assert told.read(select(Account.suspended_on)) is None  # the word of the customer stops the clock
    told.clock.set(date(2026, 10, 18))
    ogm, total = told.read(select(Invoice.ogm)), told.left(numbers[0])
    line = Line(total, date(2026, 10, 16), ogm=ogm, reference="T1")
    assert told.give(coda([line], on=date(2026, 10, 16)))["states"] == {"matched": 1}
    assert told.left(numbers[0]) == 0
    told.clock.set(date(2026, 10, 30))  # long after the announcement: two are unpaid, not three
    told.run("remind")
    assert told.read(select(Account.suspended_on)) is None
    assert "Payée" in told.invoice(numbers[0]).text("main")


def test_a_refund_asked_of_the_bank_reopens_the_invoice_in_words(life):
    told = life(date(2026, 11, 16))
    told.sign(IBAN)
    number = told.bill(date(2026, 12, 16))
    assert told.collect(date(2026, 12, 28)) is not None
    debit, cents = told.read(select(Collection.end_to_end_id).where(Collection.end_to_end_id == number)), 0
    cents = told.left(number)
    told.clock.set(date(2026, 12, 31))
    paid = Line(cents, date(2026, 12, 30), end_to_end=debit, mandate="M", reference="C1")
    told.give(camt([paid], statement="S1"))
    assert told.left(number) == 0
    told.clock.set(date(2027, 1, 20))
    back = Line(-cents, date(2027, 1, 20), end_to_end=debit, mandate="M", reference="R1", reason="MD06")
    told.give(camt([back], statement="S2"))
    assert told.left(number) == cents
    assert told.read(select(Collection.state).where(Collection.end_to_end_id == number)) == "refunded"
    assert "remboursement demandé à la banque" in told.last_mail()
    history = Page.get(told.owner, f"/abonnements/{told.signed.id}/historique").text("main")
    assert "remboursement demandé à la banque par le titulaire du compte" in history
    assert "remboursement demandé à la banque" in told.invoice(number).text("main")
    assert told.collect(date(2027, 1, 25)) is None  # not asked of the bank again: people talk first
    told.give(camt([back], message="054", statement="N9"))  # told again by a notice: nothing
    assert told.left(number) == cents
    assert told.read(select(DebitBatch.count)) >= 1
    assert noon and billing
