"""Whatever a test does, the events it records hold exactly the facts that the catalogue promises to other systems."""

from typing import Any

from jsonschema_rs import validator_for
from sqlalchemy import event

from webapp.models.events import Event
from webapp.services.events import CATALOGUE, TEST, TEST_KIND

_SCHEMAS = {kind.code: validator_for(kind.schema) for kind in (*CATALOGUE.values(), TEST_KIND)}


def _check(_mapper: Any, _connection: Any, told: Event) -> None:
    if told.kind not in _SCHEMAS:
        raise AssertionError(f"{told.kind} is not in services.events.CATALOGUE")
    wrong = [error.message for error in _SCHEMAS[told.kind].iter_errors(told.data)]
    if wrong:
        raise AssertionError(f"{told.kind}: services.events.CATALOGUE promises something else: {wrong}")


def watch() -> None:
    assert TEST not in CATALOGUE
    event.listen(Event, "before_insert", _check)
