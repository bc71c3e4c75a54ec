"""Signing in without the form, for the tests of every other page."""

from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from webapp import clock
from webapp.auth import lifetime
from webapp.models.accounts import User
from webapp.services import people

DEVICE = people.Device(ip_address="127.0.0.1", user_agent="tests")


def sign_in(client: FlaskClient, session: Session, user: User) -> FlaskClient:
    """Give the browser an open session of this person. Commits what the test has arranged."""
    with client.application.app_context():
        token = people.open_session(
            session, user, device=DEVICE, lifetime=lifetime(), now=clock.now(), means="password"
        )
    session.commit()
    client.set_cookie("session", token, domain="localhost")
    return client
