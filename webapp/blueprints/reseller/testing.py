"""The test page: what the embed still lacks, what to paste, what was refused lately, and how much it is used."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from flask import current_app, url_for
from flask.typing import ResponseReturnValue

from webapp import auth, clock, embed_loader
from webapp.auth import requires
from webapp.bars import Bars, bars_of
from webapp.blueprints.reseller import bp
from webapp.domain.access import May
from webapp.domain.embedding import AssertionRefused, Why
from webapp.embed_reasons import words_for_its_reseller
from webapp.extensions import db
from webapp.i18n import Sentence, _, translate
from webapp.models.embedding import EmbedRefusal
from webapp.rendering import current_locale, render
from webapp.services import embed_usage, resellers

HEIGHT = 180  # pixels, of the picture
LACKING: dict[str, Sentence] = {
    "suspended": _("Votre accès est suspendu : vos clés n’ouvrent rien. Écrivez-nous."),
    "key": _("Aucune clé n’est active : ajoutez-en une sous Clés et sites."),
    "origin": _("Aucun site n’est autorisé : ajoutez le vôtre sous Clés et sites."),
    "person": _("Aucun client n’a encore d’utilisateur : ajoutez un client, puis attendez qu’il réponde."),
}


@dataclass(frozen=True, slots=True)
class RefusedOpening:
    """A cause on a day, in words: how many times, and when last."""

    words: str
    times: int
    last_at: datetime


# What a reseller's developer pastes: docs/embed tells the rest.
SNIPPET = """\
<div id="abonnement"></div>
<script src="%(loader)s" crossorigin="anonymous"
  integrity="%(integrity)s"></script>
<script>
  PortalEmbed.mount("#abonnement", {
    slug: "%(slug)s",
    fetchToken: () => fetch("/portail/jeton", { method: "POST" }).then((answer) => answer.text()),
  });
</script>"""


@bp.get("/essai")
@requires(May.READ_CONSOLE)
def embed_test() -> ResponseReturnValue:
    session, partner, today = db.session(), auth.partner(), clock.today()
    days = [today - timedelta(days=ago) for ago in reversed(range(embed_usage.DAYS))]
    counts = embed_usage.sessions_by_day(session, partner.id, [clock.start_of(day) for day in days])
    base_url = current_app.extensions["portal_settings"].base_url
    return render(
        "reseller/embed_test.html",
        lacking=[
            LACKING[name] for name in embed_usage.lacking(session, resellers.by_slug(session, partner.slug))
        ],
        slug=partner.slug,
        base_url=base_url,
        snippet=SNIPPET
        % {
            "loader": base_url + url_for("embed.loader"),
            "integrity": embed_loader.integrity(),
            "slug": partner.slug,
        },
        refused=_in_words(embed_usage.refusals(session, partner.id, days[0])),
        opened=list(zip(days, counts, strict=True)),
        total=sum(counts),
        chart=_picture(days, counts),
    )


def _in_words(rows: list[EmbedRefusal]) -> list[RefusedOpening]:
    found = []
    for row in rows:
        sentence = words_for_its_reseller(AssertionRefused(Why(row.why), row.last_claim))
        found.append(RefusedOpening(translate(sentence, current_locale()), row.times, row.last_at))
    return found


def _picture(days: list[date], counts: list[int]) -> Bars:
    return bars_of([(day, None, count) for day, count in zip(days, counts, strict=True)], HEIGHT)
