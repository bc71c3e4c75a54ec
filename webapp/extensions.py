"""Extension instances, without logic of the portal."""

from typing import Any

from flask import Flask, current_app, has_request_context, request
from flask_login import LoginManager
from flask_sqlalchemy import SQLAlchemy
from flask_sqlalchemy.session import Session as FlaskSession
from flask_wtf import CSRFProtect
from sqlalchemy import Engine, event
from sqlalchemy.orm import ORMExecuteState, Session

from webapp.models.base import Base
from webapp.models.engine import engine_options, prepare, reading
from webapp.services import links

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class WriteWhileReading(RuntimeError):
    """A page asked with GET tried to write. Move the write behind a form, or into `own_transaction`."""


def is_reading() -> bool:
    """Whether the request at hand may only read."""
    return has_request_context() and request.method in SAFE_METHODS


class PortalSession(FlaskSession):
    """`db.session`: reads without taking the write lock when the request is a safe one."""

    def get_bind(self, *args: Any, **kwargs: Any) -> Any:
        bind = super().get_bind(*args, **kwargs)
        # One and the same reading engine: the session keeps a connection per engine object.
        return current_app.extensions["portal_reading"] if isinstance(bind, Engine) and is_reading() else bind


@event.listens_for(PortalSession, "before_flush")
def _refuse_flush(session: Session, *_: object) -> None:
    if is_reading() and (session.new or session.dirty or session.deleted):
        raise WriteWhileReading(f"{request.method} {request.path} changed rows")


@event.listens_for(PortalSession, "do_orm_execute")
def _refuse_statement(state: ORMExecuteState) -> None:
    if is_reading() and (state.is_insert or state.is_update or state.is_delete):
        raise WriteWhileReading(f"{request.method} {request.path} ran a writing statement")


db = SQLAlchemy(model_class=Base, session_options={"class_": PortalSession}, add_models_to_shell=False)
login = LoginManager()
csrf = CSRFProtect()


def init_app(app: Flask) -> None:
    url = app.config["SQLALCHEMY_DATABASE_URI"]
    told = {links.BASE_URL: app.extensions["portal_settings"].base_url}
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = {**engine_options(url), "execution_options": told}
    db.init_app(app)
    with app.app_context():
        app.extensions["portal_reading"] = reading(prepare(db.engine))
    csrf.init_app(app)
    login.init_app(app, add_context_processor=False)
