"""What a migration asks for, read from the address: a simulation is a page that can be reloaded, so it has no token."""

from collections.abc import Sequence

from wtforms import DateField, IntegerField, SelectField, TextAreaField
from wtforms.validators import DataRequired, InputRequired, Length, NumberRange, ValidationError

from webapp import clock
from webapp.domain.migration import SHORTEST_NOTICE_DAYS
from webapp.forms import PortalForm
from webapp.i18n import _
from webapp.services.plan_migrations import Asked

LONGEST_NOTICE_DAYS, LONGEST_REASON = 365, 280  # a reason travels in an address: three of them must fit
_CHOICE = InputRequired(_("Choisissez dans la liste."))
_WHY = (
    DataRequired(_("Écrivez la raison dans cette langue : les clients la liront.")),
    Length(max=LONGEST_REASON, message=_("280 signes au plus.")),
)


class AskForm(PortalForm):
    """From which version to which, from when, and why."""

    class Meta(PortalForm.Meta):
        csrf = False

    from_version = SelectField(_("Abonnés de"), [_CHOICE], coerce=int)
    to_version = SelectField(_("Passent à"), [_CHOICE], coerce=int)
    wished_on = DateField(
        _("À partir du"),
        [InputRequired(_("Indiquez une date."))],
        description=_("Chacun passe à son premier jour de facturation, ce jour-là ou ensuite."),
    )
    notice_days = IntegerField(
        _("Annoncé au moins, en jours"),
        [
            InputRequired(_("Indiquez un nombre de jours.")),
            NumberRange(SHORTEST_NOTICE_DAYS, LONGEST_NOTICE_DAYS, _("De 30 à 365 jours.")),
        ],
        description=_("Pour qui paie plus ou reçoit moins. Trente jours au minimum."),
    )
    reason_fr = TextAreaField(_("Pourquoi, en français"), _WHY)
    reason_nl = TextAreaField(_("Pourquoi, en néerlandais"), _WHY)
    reason_en = TextAreaField(_("Pourquoi, en anglais"), _WHY)

    def offer(self, versions: Sequence[tuple[int, str]]) -> None:
        """Fill the lists: pairs of a version's id and its words."""
        self.from_version.choices = self.to_version.choices = list(versions)

    def validate_wished_on(self, one: DateField) -> None:
        if one.data <= clock.today():
            raise ValidationError(_("Choisissez un jour à venir."))

    def asked(self) -> Asked:
        """What is asked, once it is valid."""
        reasons = {
            "fr": self.reason_fr.data.strip(),
            "nl": self.reason_nl.data.strip(),
            "en": self.reason_en.data.strip(),
        }
        return Asked(
            self.from_version.data,
            self.to_version.data,
            self.wished_on.data,
            self.notice_days.data,
            reasons,
        )
