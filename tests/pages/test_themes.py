"""A reseller's style sheet and logo, at an address that changes with what they hold."""

from tests.builders import CLAIRE, LONG_AGO, a_reseller, noon
from tests.services.test_resellers import BURGUNDY, a_png
from webapp.services import resellers


def test_a_sheet_and_its_logo_are_kept_for_ever_and_can_run_nothing(client, session):
    theme = resellers.publish_theme(session, a_reseller(session), BURGUNDY, a_png(), noon(LONG_AGO), CLAIRE)
    session.commit()
    sheet = client.get(f"/themes/{theme.hash}.css")
    assert sheet.status_code == 200
    assert sheet.content_type == "text/css; charset=utf-8"
    assert "--theme-accent: #a3195b;" in sheet.text
    logo = client.get(f"/themes/{theme.hash}/logo")
    assert (logo.content_type, logo.data) == ("image/png", a_png())
    for answer in (sheet, logo):
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert answer.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_no_theme_no_sheet(client, session):
    theme = resellers.publish_theme(session, a_reseller(session), BURGUNDY, None, noon(LONG_AGO), CLAIRE)
    session.commit()
    assert client.get(f"/themes/{'0' * 64}.css").status_code == 404
    assert client.get(f"/themes/{theme.hash}/logo").status_code == 404
