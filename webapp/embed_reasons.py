"""What a refusal is called, on its page and in the console of the reseller: a code for the developer's search, and a sentence on what to mend."""

from webapp.domain.embedding import AssertionRefused, Why, tells_the_developer
from webapp.i18n import Sentence, _

GENERAL = _(
    "La page qui affiche ce cadre n’a pas pu prouver qu’elle est autorisée. Vérifiez l’origine enregistrée, "
    "l’identifiant de la clé (kid), son algorithme, le type « pf-embed+jwt » et la signature."
)
SENTENCES: dict[Why, Sentence] = {
    Why.MISSING: _(
        "Le champ « assertion » du formulaire est vide : votre serveur n’a rien renvoyé à fetchToken."
    ),
    Why.MALFORMED: _("Le champ « assertion » n’est pas un JWT signé en trois parties."),
    Why.TOO_MANY: _("Trop d’ouvertures en peu de temps. Patientez une minute, puis réessayez."),
    Why.CLAIM_MISSING: _("La donnée « %(claim)s » manque dans le JWT."),
    Why.ISSUER: _("« iss » doit être l’identifiant du revendeur, celui de l’adresse /embed/…/session."),
    Why.AUDIENCE: _("« aud » doit être l’adresse du portail, sans barre finale."),
    Why.ORIGIN_CLAIM: _(
        "« origin » doit être l’origine de la page qui affiche le cadre, telle que le navigateur l’envoie."
    ),
    Why.TIMES: _("« iat » et « exp » doivent être des secondes depuis 1970, « exp » après « iat »."),
    Why.EXPIRED: _(
        "Le JWT a expiré. Signez-en un nouveau à chaque ouverture, et vérifiez l’horloge du serveur."
    ),
    Why.NOT_YET: _("« iat » est dans le futur : vérifiez l’horloge de votre serveur."),
    Why.LIFE_TOO_LONG: _("Le JWT vit trop longtemps : 60 secondes au plus entre « iat » et « exp »."),
    Why.JTI: _("« jti » doit être un texte de 8 à 100 signes, nouveau à chaque JWT."),
    Why.REPLAYED: _("Ce JWT a déjà servi. Signez-en un nouveau, avec un autre « jti », à chaque ouverture."),
    Why.ROLE: _("« role » doit être owner, administrator, viewer ou accountant."),
    Why.ROLE_ABOVE_CAP: _("« role » dépasse le rôle le plus large permis à ce revendeur dans le cadre."),
    Why.ACCOUNT: _("« sub » n’est la référence d’aucun de vos clients."),
    Why.USER: _(
        "« user » n’est l’adresse d’aucun utilisateur de ce compte : invitez d’abord cette personne."
    ),
    Why.NO_SUBSCRIPTION: _("Ce compte n’a pas encore d’abonnement à montrer."),
}


# Said in the console alone, to who works for the reseller: to others they would help to forge.
OF_THE_RESELLER: dict[Why, Sentence] = {
    Why.SIGNATURE: _(
        "La signature n’est celle d’aucune de vos clés actives : vérifiez « kid », l’algorithme et le type."
    ),
    Why.ORIGIN: _("La page qui affichait le cadre n’est pas un de vos sites autorisés."),
    Why.FRAME: _("L’adresse a été ouverte hors d’un cadre."),
}


def words_for_its_reseller(refusal: AssertionRefused) -> Sentence:
    """The exact reason, whatever it is."""
    return (SENTENCES | OF_THE_RESELLER)[refusal.why] % {"claim": refusal.claim}


def words_for(refusal: AssertionRefused) -> tuple[str, Sentence]:
    """The code and the sentence. Before the signature holds, nothing that would help to forge one."""
    why = refusal.why
    if why in {Why.MISSING, Why.MALFORMED, Why.TOO_MANY}:
        return why.value, SENTENCES[why]
    if not tells_the_developer(why):
        return "not_accepted", GENERAL
    return why.value, SENTENCES[why] % {"claim": refusal.claim}
