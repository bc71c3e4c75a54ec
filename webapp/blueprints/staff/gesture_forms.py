"""What each gesture asks for, read from the address: a preview is a page that can be reloaded, so it has no token."""

from abc import ABCMeta, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from wtforms import (
    BooleanField,
    DateField,
    IntegerField,
    RadioField,
    SelectField,
    StringField,
    TextAreaField,
)
from wtforms.fields.choices import SelectChoice
from wtforms.form import FormMeta
from wtforms.validators import (
    DataRequired,
    InputRequired,
    Length,
    NumberRange,
    Optional,
    ValidationError,
)

from webapp import clock
from webapp.blueprints.staff.forms import AmountField, PercentField, as_money
from webapp.confirming import ConfirmForm
from webapp.domain.terms import Notice, NoticeUnit, Renewal, Terms
from webapp.forms import PortalForm
from webapp.i18n import _
from webapp.services.discount_gestures import Grant
from webapp.services.gestures import NewPlan, Wish
from webapp.services.money_gestures import GiveBack, MoreTime, Paid, Refund
from webapp.services.terms_gestures import NewTerms

_DATE = InputRequired(_("Indiquez une date."))
_AMOUNT = (
    InputRequired(_("Indiquez un montant.")),
    NumberRange(Decimal("0.01"), Decimal("99999.99"), _("De 0,01 à 99 999,99 euros.")),
)
_CHOICE = InputRequired(_("Choisissez dans la liste."))
MOST_MONTHS, MOST_NOTICE, LONGEST_COMMITMENT = 24, 365, 60


@dataclass(frozen=True, slots=True)
class Offered:
    """What the fields of one account offer: pairs of a value and its words."""

    today: date
    currency: str
    charged: Sequence[tuple[str, str]] = ()  # what recurs and costs something: "plan:pro", "option:emails"
    plans: Sequence[tuple[str, str]] = ()  # "pro:monthly"
    invoices: Sequence[tuple[str, str]] = ()  # numbers
    sources: Sequence[tuple[str, str]] = ()  # what can be refunded
    charges: Sequence[tuple[str, str]] = ()  # what the payment provider can give back
    terms: Terms | None = None


class AbstractFormMeta(FormMeta, ABCMeta):  # type: ignore[misc]  # WTForms has no types
    """A form that does not say its `wish` cannot be made."""


class GestureForm(PortalForm, metaclass=AbstractFormMeta):
    """The base: `offer` fills the lists, `wish` says what is asked."""

    class Meta(PortalForm.Meta):
        csrf = False

    def offer(self, offered: Offered) -> None:
        """Fill the lists with what this account has."""

    @abstractmethod
    def wish(self, offered: Offered) -> Wish:
        """What is asked for, once the form is valid."""


def _item(value: str) -> tuple[str | None, str | None]:
    item, _colon, ref = value.partition(":")
    return item or None, ref or None


def _choices(pairs: Iterable[tuple[str, str]]) -> list[SelectChoice]:
    return [SelectChoice(value, words) for value, words in pairs]


STARTS = [
    SelectChoice("next", _("Avec la prochaine période")),
    SelectChoice("today", _("Aujourd’hui : les jours déjà payés sont rendus")),
]


class DiscountForm(GestureForm):
    on = SelectField(_("Sur"), [Optional()])
    unit = RadioField(
        _("Remise"),
        [_CHOICE],
        choices=[SelectChoice("percent", _("En pour cent")), SelectChoice("amount", _("En euros par mois"))],
        default="percent",
    )
    percent = PercentField(
        _("Pour cent"), [Optional(), NumberRange(Decimal("0.01"), Decimal(100), _("De 0,01 à 100."))]
    )
    amount = AmountField(
        _("Euros par mois, HTVA"),
        [Optional(), *_AMOUNT[1:]],
        description=_("Par unité, jamais plus que le prix. Choisissez la formule ou une option."),
    )
    starts = RadioField(_("À partir de"), [_CHOICE], choices=STARTS, default="next")
    until = DateField(_("Dernier jour"), [_DATE])

    def offer(self, offered: Offered) -> None:
        self.on.choices = [SelectChoice("", _("Tout l’abonnement")), *_choices(offered.charged)]

    def validate(self, extra_validators: Any = None) -> bool:
        is_valid = bool(super().validate(extra_validators))
        if self.unit.data == "percent" and self.percent.data is None and not self.percent.errors:
            self.percent.errors = [_("Indiquez un pourcentage.")]
        elif self.unit.data == "amount" and self.amount.data is None and not self.amount.errors:
            self.amount.errors = [_("Indiquez un montant.")]
        elif self.unit.data == "amount" and not self.on.data:
            self.on.errors = [_("Un montant se retire de la formule ou d’une option : choisissez laquelle.")]
        else:
            return is_valid
        return False

    def wish(self, offered: Offered) -> Wish:
        item, ref = _item(self.on.data or "")
        is_percent = self.unit.data == "percent"
        return Grant(
            "discount",
            item,
            ref,
            share=Fraction(str(self.percent.data)) / 100 if is_percent else None,
            monthly=None if is_percent else as_money(self.amount.data, offered.currency),
            last_day=self.until.data,
            is_next=self.starts.data == "next",
        )


class FreeMonthsForm(GestureForm):
    on = SelectField(_("Offrir"), [Optional()])
    months = IntegerField(
        _("Mois offerts"),
        [InputRequired(_("Indiquez un nombre de mois.")), NumberRange(1, MOST_MONTHS, _("De 1 à 24 mois."))],
        default=1,
        description=_("Entiers, à partir de la prochaine période."),
    )

    def offer(self, offered: Offered) -> None:
        self.on.choices = [SelectChoice("", _("Tout l’abonnement")), *_choices(offered.charged)]

    def wish(self, offered: Offered) -> Wish:
        item, ref = _item(self.on.data or "")
        return Grant("free_months", item, ref, months=int(self.months.data))


class FreeOptionForm(GestureForm):
    on = SelectField(_("Option"), [_CHOICE])
    starts = RadioField(_("À partir de"), [_CHOICE], choices=STARTS, default="next")
    until = DateField(_("Dernier jour"), [_DATE])

    def offer(self, offered: Offered) -> None:
        self.on.choices = _choices(each for each in offered.charged if each[0].startswith("option:"))

    def wish(self, offered: Offered) -> Wish:
        item, ref = _item(self.on.data)
        return Grant("free_option", item, ref, last_day=self.until.data, is_next=self.starts.data == "next")


class PriceForm(GestureForm):
    on = SelectField(_("Pour"), [_CHOICE])
    price = AmountField(
        _("Prix spécial, HTVA"),
        _AMOUNT,
        description=_("Pour une unité et une période entière : un mois, ou un an s’il est facturé par an."),
    )
    starts = RadioField(_("À partir de"), [_CHOICE], choices=STARTS, default="next")
    until = DateField(_("Dernier jour"), [_DATE])

    def offer(self, offered: Offered) -> None:
        self.on.choices = _choices(offered.charged)

    def wish(self, offered: Offered) -> Wish:
        item, ref = _item(self.on.data)
        return Grant(
            "price",
            item,
            ref,
            price=as_money(self.price.data, offered.currency),
            last_day=self.until.data,
            is_next=self.starts.data == "next",
        )


class PlanForm(GestureForm):
    plan = SelectField(_("Formule"), [_CHOICE])

    def offer(self, offered: Offered) -> None:
        self.plan.choices = _choices(offered.plans)

    def wish(self, offered: Offered) -> Wish:
        plan_code, _colon, frequency = str(self.plan.data).partition(":")
        return NewPlan(plan_code, frequency)


class TermsForm(GestureForm):
    commitment = IntegerField(
        _("Engagement, en mois"),
        [
            InputRequired(_("Indiquez un nombre de mois.")),
            NumberRange(0, LONGEST_COMMITMENT, _("De 0 à 60 mois.")),
        ],
        description=_("Compté depuis le jour où il a commencé. 0 : sans engagement."),
    )
    notice = IntegerField(
        _("Préavis"),
        [InputRequired(_("Indiquez une durée.")), NumberRange(0, MOST_NOTICE, _("De 0 à 365."))],
    )
    unit = SelectField(
        _("Préavis compté en"),
        [_CHOICE],
        choices=[
            SelectChoice(NoticeUnit.MONTHS.value, _("mois")),
            SelectChoice(NoticeUnit.DAYS.value, _("jours")),
        ],
    )
    renewal = RadioField(
        _("À la fin de l’engagement"),
        [_CHOICE],
        choices=[
            SelectChoice(Renewal.SAME_TERM.value, _("Reconduction tacite pour la même durée")),
            SelectChoice(Renewal.MONTHLY.value, _("Poursuite de mois en mois, sans engagement")),
            SelectChoice(Renewal.ENDS.value, _("Le contrat s’arrête")),
        ],
    )
    consent = TextAreaField(
        _("Accord du client"),
        [Optional(), Length(max=500)],
        description=_(
            "Nécessaire si une condition devient moins bonne pour lui : qui a accepté, quand, comment."
        ),
    )

    def offer(self, offered: Offered) -> None:
        if offered.terms is None or self.commitment.raw_data:
            return
        self.commitment.data = offered.terms.commitment_months
        self.notice.data = offered.terms.notice.count
        self.unit.data = offered.terms.notice.unit.value
        self.renewal.data = offered.terms.renewal.value

    def wish(self, offered: Offered) -> Wish:
        notice = Notice(int(self.notice.data), NoticeUnit(self.unit.data))
        terms = Terms(int(self.commitment.data), notice, Renewal(self.renewal.data))
        return NewTerms(terms, str(self.consent.data or ""))


def _ensure_past(field: DateField) -> None:
    """Money moved on a day of the last year at most: a later or older one is a slip of the hand."""
    today = clock.today()
    if not today - timedelta(days=366) <= field.data <= today:
        raise ValidationError(_("Choisissez aujourd’hui, ou un jour des douze derniers mois."))


METHODS = [SelectChoice("transfer", _("Virement")), SelectChoice("card", _("Carte"))]


class PaymentForm(GestureForm):
    amount = AmountField(_("Montant reçu"), _AMOUNT)
    on = DateField(_("Reçu le"), [_DATE])
    method = SelectField(_("Par"), [_CHOICE], choices=METHODS)
    invoice = SelectField(_("Facture à payer d’abord"), [Optional()])
    reference = StringField(_("Référence"), [Optional(), Length(max=100)])

    def offer(self, offered: Offered) -> None:
        self.invoice.choices = [SelectChoice("", _("La plus ancienne échéance")), *_choices(offered.invoices)]

    def validate_on(self, field: DateField) -> None:
        _ensure_past(field)

    def wish(self, offered: Offered) -> Wish:
        amount = as_money(self.amount.data, offered.currency)
        number = self.invoice.data or None
        return Paid(amount, self.method.data, self.on.data, (self.reference.data or "").strip(), number)


class RefundForm(GestureForm):
    of = SelectField(_("À rembourser"), [_CHOICE])
    amount = AmountField(_("Montant rendu"), _AMOUNT)
    on = DateField(_("Rendu le"), [_DATE])
    method = SelectField(_("Par"), [_CHOICE], choices=METHODS)
    reference = StringField(
        _("Référence"),
        [DataRequired(_("Indiquez la référence du remboursement.")), Length(max=100)],
        description=_("Celle de l’ordre donné à la banque ou au prestataire : l’argent part d’ici."),
    )

    def offer(self, offered: Offered) -> None:
        self.of.choices = _choices(offered.sources)

    def validate_on(self, field: DateField) -> None:
        _ensure_past(field)

    def wish(self, offered: Offered) -> Wish:
        amount = as_money(self.amount.data, offered.currency)
        return Refund(amount, self.of.data, self.method.data, self.on.data, str(self.reference.data).strip())


class GiveBackForm(GestureForm):
    of = SelectField(_("Paiement à rembourser"), [_CHOICE])
    amount = AmountField(
        _("Montant rendu"),
        _AMOUNT,
        description=_(
            "Si la facture ne doit pas être repayée, émettez d’abord une note de crédit : son crédit la paie."
        ),
    )

    def offer(self, offered: Offered) -> None:
        self.of.choices = _choices(offered.charges)

    def wish(self, offered: Offered) -> Wish:
        return GiveBack(as_money(self.amount.data, offered.currency), self.of.data)


class DueDateForm(GestureForm):
    invoice = SelectField(_("Facture"), [_CHOICE])
    until = DateField(
        _("Nouvelle échéance"),
        [_DATE],
        description=_(
            "Le document garde la date imprimée ; rappels et prélèvements comptent à partir de celle-ci."
        ),
    )

    def offer(self, offered: Offered) -> None:
        self.invoice.choices = _choices(offered.invoices)

    def wish(self, offered: Offered) -> Wish:
        return MoreTime(self.invoice.data, self.until.data)


class MakeForm(ConfirmForm):
    """The confirmation, why it is made, and whether the client is told."""

    reason = TextAreaField(
        _("Motif"),
        [DataRequired(_("Écrivez le motif : il est gardé avec le geste.")), Length(max=500)],
        description=_("Le client le lit dans son historique."),
    )
    tells = BooleanField(_("Prévenir le client par e-mail"), default=True)
