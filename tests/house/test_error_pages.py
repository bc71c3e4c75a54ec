"""An error says what happened and what to do next, as a page or as a sentence for htmx, and shows nothing of ours."""

import pytest
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm.exc import StaleDataError
from werkzeug.exceptions import default_exceptions

from tests.support.page_linter import problems
from webapp import errors

pytestmark = pytest.mark.any_database
CODES = (400, 401, 403, 404, 405, 409, 413, 422, 429, 500, 503)


@pytest.mark.parametrize("language", ["fr", "nl", "en"])
@pytest.mark.parametrize("code", CODES)
def test_each_error_has_its_page(app, code, language):
    with app.test_request_context("/", headers={"Accept-Language": language}):
        response = errors.show(default_exceptions[code]())
        page = app.process_response(response).get_data(as_text=True)
    assert response.status_code == code
    assert f'<html lang="{language}">' in page
    assert problems(page) == []


def test_htmx_gets_a_sentence_for_the_region_of_problems(client):
    answer = client.get("/nulle-part", headers={"HX-Request": "true"})
    assert answer.status_code == 404
    assert answer.headers["HX-Retarget"] == "#problems"
    assert "<html" not in answer.text
    assert problems(answer.text) == []


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (StaleDataError("a row was changed"), 409),
        (OperationalError("INSERT …", {}, Exception("database or disk is full")), 503),
        (RuntimeError("secret detail"), 500),
    ],
)
def test_a_failure_shows_nothing_of_the_inside(app, error, code):
    with app.test_request_context("/"):
        response = app.make_response(app.handle_user_exception(error))
    page = response.get_data(as_text=True)
    assert response.status_code == code
    assert "Rien n’a été modifié" in page
    assert str(error) not in page
    assert "Traceback" not in page
