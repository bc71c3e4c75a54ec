"""The base of every form: CSRF, and WTForms' own messages in our words."""

from flask_wtf import FlaskForm

from webapp.i18n import FormTranslations

TRANSLATIONS = FormTranslations()


class PortalForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    """Labels, descriptions, choices and messages are msgids marked with `_()`; `components/forms.html` says them."""

    class Meta(FlaskForm.Meta):  # type: ignore[misc]
        def get_translations(self, form: object) -> FormTranslations:
            return TRANSLATIONS
