"""The forms of a subscription's pages."""

from flask_wtf import FlaskForm
from wtforms import HiddenField
from wtforms.validators import InputRequired, Length, Regexp


class ConfirmForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    """A confirmation: the key that makes it happen once, and the fingerprint of what was shown."""

    idempotency_key = HiddenField(validators=[InputRequired(), Regexp(r"^[0-9a-f]{32}$")])
    preview = HiddenField(validators=[InputRequired(), Length(max=64)])
