"""Languages: which one to speak, the catalogue of each, and the sentence for each refusal.

Plain Babel, and the language is always an argument: mails, documents and commands speak outside any request.
Msgids are French sentences as customers read them. French has a catalogue too, because in French zero is singular.
"""

import gettext as standard_gettext
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any

from babel import Locale
from babel.dates import format_date
from babel.lists import format_list
from babel.messages.pofile import read_po
from werkzeug.datastructures import LanguageAccept
from werkzeug.http import parse_accept_header

from webapp.domain.refusals import Refusal

LANGUAGES = {"fr": "Français", "nl": "Nederlands", "en": "English"}
DEFAULT_LANGUAGE = "fr"
LANGUAGE_COOKIE = "language"
# How amounts and dates are written. English is Irish: the euro comes first, the day before the month.
FORMATS = {"fr": Locale("fr", "BE"), "nl": Locale("nl", "BE"), "en": Locale("en", "IE")}
FOLDER = Path(__file__).resolve().parent.parent / "translations"


@dataclass(frozen=True)
class Catalogue:
    """One language: a sentence is one dictionary look-up away."""

    singles: Mapping[str, str]
    plurals: Mapping[str, tuple[str, ...]]
    form_for: Callable[[int], int]


@lru_cache
def catalogue(locale: str) -> Catalogue:
    with (FOLDER / locale / "LC_MESSAGES" / "messages.po").open("rb") as file:
        source = read_po(file, locale=locale)
    singles: dict[str, str] = {}
    plurals: dict[str, tuple[str, ...]] = {}
    for message in source:
        if not message.id or message.fuzzy:
            continue
        if isinstance(message.id, str):
            if message.string:
                singles[message.id] = str(message.string)
        elif message.string and all(message.string):
            plurals[message.id[0]] = tuple(message.string)
            # A sentence counted in one place and said alone in another is one entry of the file.
            singles.setdefault(message.id[0], message.string[0])
    return Catalogue(singles, plurals, standard_gettext.c2py(source.plural_expr))


def gettext(msgid: str, locale: str, /, **values: object) -> str:
    """The sentence in `locale`, with its named placeholders `%(name)s` filled; the msgid itself when unknown."""
    text = catalogue(locale).singles.get(msgid) or str(msgid)
    return text % values if values else text


def ngettext(singular: str, plural: str, count: int, locale: str, /, **values: object) -> str:
    """The sentence for `count` things. `%(count)s` is filled with it unless `values` says how to write it."""
    spoken = catalogue(locale)
    forms = spoken.plurals.get(singular, (singular, plural))
    return forms[spoken.form_for(abs(count))] % {"count": count, **values}


def t(locale: str, msgid: str, /, **values: object) -> str:
    """`gettext` with the language first, which reads better in mails and commands."""
    return gettext(msgid, locale, **values)


class Sentence(str):
    """A msgid whose reader is not known yet: the labels and messages of forms. `|t` or `translate` says it.

    Filling it with `%`, as form validators do, keeps msgid and values apart so that it can still be translated.
    """

    values: Mapping[str, object] = {}
    plural: str = ""
    number: int = 0

    def __mod__(self, values: Any) -> "Sentence":
        filled = Sentence(self)
        filled.values = dict(values) if isinstance(values, Mapping) else {}
        filled.plural, filled.number = self.plural, self.number
        return filled


_ = Sentence


def _n(singular: str, plural: str) -> tuple[str, str]:
    """Marks the two forms of a sentence for extraction."""
    return singular, plural


def translate(text: str, locale: str) -> str:
    """A Sentence, or any text that may be a msgid, in the reader's language."""
    if isinstance(text, Sentence) and text.plural:
        return ngettext(str(text), text.plural, text.number, locale, **text.values)
    return gettext(text, locale, **text.values) if isinstance(text, Sentence) else gettext(text, locale)


def choose_locale(
    user_language: str | None, cookie: str | None, accept_language: str, default: str = DEFAULT_LANGUAGE
) -> str:
    """What the user chose, else what this browser was told here, else what the browser asks for, else the default."""
    for chosen in (user_language, cookie):
        if chosen in LANGUAGES:
            return str(chosen)
    wanted = parse_accept_header(accept_language, LanguageAccept)
    return wanted.best_match(LANGUAGES) or default


@lru_cache(maxsize=8192)
def date_text(day: date, locale: str, pattern: str = "long") -> str:
    """A date in words, plain text: 1er mars 2026. `pattern` is Babel's: long, or such as "d MMMM"."""
    text = format_date(day, pattern, FORMATS[locale])
    if locale == "fr" and day.day == 1:
        # French counts the first day of the month as "the first", which locale data does not say.
        return text.replace("1", "1er", 1)
    return text


def one_of(names: list[str], locale: str) -> str:
    """a, b et c"""
    return str(format_list(names, locale=FORMATS[locale]))


def init_app(app: object) -> None:
    """Read the catalogues now, once for all workers, rather than during the first page."""
    for language in LANGUAGES:
        catalogue(language)


# ── What WTForms says, in our words ──────────────────────────────────────────────────────────────────────────────

WTFORMS_SENTENCES = {
    "Invalid field name '%s'.": _("Ce champ n’existe pas."),
    "Field must be equal to %(other_name)s.": _("Les deux valeurs doivent être identiques."),
    "Field must be between %(min)d and %(max)d characters long.": _(
        "Écrivez entre %(min)d et %(max)d caractères."
    ),
    "Number must be at least %(min)s.": _("Indiquez un nombre d’au moins %(min)s."),
    "Number must be at most %(max)s.": _("Indiquez un nombre d’au plus %(max)s."),
    "Number must be between %(min)s and %(max)s.": _("Indiquez un nombre entre %(min)s et %(max)s."),
    "Date must be at least %(min)s.": _("Indiquez une date à partir du %(min)s."),
    "Date must be at most %(max)s.": _("Indiquez une date jusqu’au %(max)s."),
    "Date must be between %(min)s and %(max)s.": _("Indiquez une date entre le %(min)s et le %(max)s."),
    "This field is required.": _("Remplissez ce champ."),
    "Invalid input.": _("Cette valeur n’est pas acceptée."),
    "Invalid email address.": _("Écrivez une adresse e-mail complète, comme nom@exemple.be."),
    "Invalid IP address.": _("Écrivez une adresse IP."),
    "Invalid Mac address.": _("Écrivez une adresse MAC."),
    "Invalid URL.": _("Écrivez une adresse web complète, qui commence par https://."),
    "Invalid UUID.": _("Cet identifiant n’est pas valide."),
    "Invalid value, must be one of: %(values)s.": _("Choisissez une valeur parmi : %(values)s."),
    "Invalid value, can't be any of: %(values)s.": _("Ces valeurs ne sont pas acceptées : %(values)s."),
    "This field cannot be edited.": _("Ce champ ne peut pas être modifié."),
    "This field is disabled and cannot have a value.": _("Ce champ est désactivé et reste vide."),
    "Invalid CSRF Token.": _("Cette page est restée ouverte trop longtemps. Envoyez-la à nouveau."),
    "CSRF token missing.": _("Cette page est restée ouverte trop longtemps. Envoyez-la à nouveau."),
    "CSRF failed.": _("Cette page est restée ouverte trop longtemps. Envoyez-la à nouveau."),
    "CSRF token expired.": _("Cette page est restée ouverte trop longtemps. Envoyez-la à nouveau."),
    "Invalid Choice: could not coerce.": _("Choisissez une des valeurs proposées."),
    "Choices cannot be None.": _("Choisissez une des valeurs proposées."),
    "Not a valid choice.": _("Choisissez une des valeurs proposées."),
    "Invalid choice(s): one or more data inputs could not be coerced.": _(
        "Choisissez parmi les valeurs proposées."
    ),
    "'%(value)s' is not a valid choice for this field.": _("« %(value)s » n’est pas proposé ici."),
    "Not a valid datetime value.": _("Écrivez une date et une heure valables."),
    "Not a valid date value.": _("Écrivez une date valable."),
    "Not a valid time value.": _("Écrivez une heure valable."),
    "Not a valid week value.": _("Écrivez une semaine valable."),
    "Not a valid integer value.": _("Écrivez un nombre entier."),
    "Not a valid decimal value.": _("Écrivez un nombre."),
    "Not a valid float value.": _("Écrivez un nombre."),
}
WTFORMS_PLURALS = {
    "Field must be at least %(min)d character long.": _n(
        "Écrivez au moins %(min)d caractère.",
        "Écrivez au moins %(min)d caractères.",
    ),
    "Field cannot be longer than %(max)d character.": _n(
        "Écrivez %(max)d caractère au plus.",
        "Écrivez %(max)d caractères au plus.",
    ),
    "Field must be exactly %(max)d character long.": _n(
        "Écrivez exactement %(max)d caractère.",
        "Écrivez exactement %(max)d caractères.",
    ),
}


class FormTranslations:
    """What WTForms asks for its own messages: our sentence, to be said later in the reader's language."""

    def gettext(self, string: str) -> str:
        return WTFORMS_SENTENCES.get(string) or Sentence(string)

    def ngettext(self, singular: str, plural: str, n: int) -> str:
        if singular not in WTFORMS_PLURALS:
            return self.gettext(singular)
        sentence = Sentence(WTFORMS_PLURALS[singular][0])
        sentence.plural, sentence.number = WTFORMS_PLURALS[singular][1], n
        return sentence


# ── Refusals: the domain gives a code and facts, the sentence is made here ───────────────────────────────────────

# A placeholder is the name of a fact: dates are written out, codes become the names of the catalogue.
EXPLANATIONS: dict[str, str] = {
    "SubscriptionEnded": _(
        "Cet abonnement est terminé depuis le %(ended_on)s. Vos factures restent disponibles, mais plus rien ne peut être modifié."
    ),
    "KindFrozen": _(
        "Votre engagement court jusqu’au %(last_day)s : d’ici là, un compte ne passe pas d’entreprise à particulier, ni l’inverse. Contactez le support si ce choix n’est pas le bon."
    ),
    "SamePlan": _("C’est déjà votre formule, avec la même fréquence de facturation."),
    "PlanNotForSale": _(
        "Cette formule n’est pas proposée à votre compte aujourd’hui. Choisissez-en une autre."
    ),
    "TerminationPending": _(
        "Une résiliation est prévue le %(effective_on)s. Annulez-la d’abord, puis changez de formule."
    ),
    "AlreadyTerminated": _(
        "Une résiliation est déjà enregistrée : le dernier jour de l’abonnement est le %(last_day)s. Vous pouvez l’annuler jusque-là."
    ),
    "WithdrawalTooLate": _(
        "La rétractation est réservée aux consommateurs, dans les quatorze jours qui suivent la signature. "
        "Vous pouvez résilier."
    ),
    "StalePreview": _(
        "Quelque chose a changé depuis l’affichage de cette page. "
        "Voici les nouveaux montants : relisez-les, puis confirmez."
    ),
    "AlreadyMember": _("%(email)s a déjà accès à ce compte. Changez son rôle dans la liste."),
    "InvitationForAnother": _(
        "Cette invitation est pour %(email)s. Connectez-vous avec cette adresse pour l’accepter."
    ),
    "LastOwner": _("Un compte garde au moins un propriétaire. Donnez d’abord ce rôle à quelqu’un d’autre."),
    "ClosureTooEarly": _(
        "L’abonnement est encore en cours. Résiliez-le d’abord : le compte pourra être clôturé après sa fin."
    ),
    "WrongReference": _("Pour confirmer, écrivez la référence du compte : %(reference)s."),
    "NotAMember": _("Cette personne n’a plus accès à ce compte. Rechargez la page."),
    "WrongCode": _(
        "Ce code n’est pas le bon ou a déjà servi. Attendez le suivant dans votre application, "
        "ou utilisez un code de secours."
    ),
    "StalePage": _(
        "Quelqu’un a modifié ces informations depuis l’ouverture de cette page. "
        "Comparez avec ce qui est enregistré maintenant, puis enregistrez de nouveau."
    ),
    "KeyReused": _("Cette demande a déjà été envoyée avec d’autres choix. Rechargez la page et recommencez."),
    "ChangeAlreadyDone": _("Ce changement n’est plus en attente : il a déjà eu lieu ou a déjà été annulé."),
    "NobodyToMigrate": _("Aucun abonné de cette version ne peut être déplacé : rien n’est publié."),
    "DecidedByOperator": _(
        "Ce changement, prévu le %(effective_on)s, ne s’annule pas d’ici. Son annonce dit pourquoi, et si vous pouvez "
        "partir sans frais."
    ),
    "NothingToView": _("Ce compte n’a pas encore d’abonnement : son client n’a aucune page à montrer."),
    "LinkExpired": _("Ce lien a expiré ou a déjà servi. Demandez-en un nouveau."),
    "ProviderAway": _(
        "%(provider)s ne répond pas. Réessayez dans quelques minutes, ou connectez-vous avec votre mot de passe."
    ),
    "SignInNotProved": _("Cette connexion n’a pas pu être vérifiée, ou a trop tardé. Recommencez."),
    "SignInInterrupted": _(
        "La connexion s’est arrêtée chez %(provider)s. Recommencez, ou passez par votre mot de passe."
    ),
    "NotOfTheTeam": _(
        "Personne dans l’équipe n’a cette adresse. Les clients se connectent avec leur adresse e-mail."
    ),
    "AddressNotVerified": _(
        "Votre adresse e-mail n’est pas vérifiée chez ce fournisseur d’identité. Faites-la vérifier, puis recommencez."
    ),
    "BoundToAnother": _(
        "Vous êtes déjà venu avec un autre compte de ce fournisseur d’identité. Reprenez celui-là, ou demandez à un "
        "administrateur de l’équipe de délier l’ancien."
    ),
    "PublicationTooEarly": _(
        "Une version de « %(catalogue_code)s » est déjà publiée pour le %(begins_on)s. "
        "Choisissez ce jour-là ou un jour plus tardif."
    ),
    "OptionKindFixed": _(
        "L’option « %(option_code)s » est déjà publiée comme %(kind)s. Donnez un autre code à la nouvelle option."
    ),
    "DraftChanged": _(
        "%(changed_by)s a enregistré ce brouillon depuis l’affichage de cette page. Rien d’autre n’a été enregistré : "
        "relisez, puis recommencez."
    ),
    "DraftClosed": _("Ce brouillon a été clos par %(closed_by)s : il ne change plus."),
    "DraftOutdated": _(
        "Le catalogue a été publié autrement depuis le début de ce brouillon. Reprenez d’abord ce qui a été publié."
    ),
    "DraftIncomplete": _("Il reste des points à corriger dans ce brouillon avant de le publier."),
    "NothingToSave": _("Il n’y a rien à enregistrer : vos choix sont ceux qui sont en vigueur."),
    "IncompleteDetails": _(
        "Vos coordonnées de facturation ne permettent pas d’émettre une facture valable. "
        "Complétez-les, puis recommencez : rien n’a été modifié."
    ),
    "UnknownOption": _("Cette option n’existe pas ou n’est plus proposée. Rechargez la page."),
    "OptionNotOffered": _("La formule %(plan_code)s ne propose pas %(option_code)s."),
    "OptionAlreadyIncluded": _(
        "%(option_code)s est déjà comprise dans votre formule : il n’y a rien à acheter."
    ),
    "QuantityOutOfRange": _("%(option_code)s : choisissez une quantité de %(least)s à %(most)s."),
    "OptionRequires": _("%(option_code)s demande %(needed_code)s. Ajoutez aussi cette option."),
    "OptionRequired": _("%(by)s a besoin de %(option_code)s. Retirez les deux, ou gardez les deux."),
    "OptionExcluded": _("%(option_code)s et %(other_code)s ne vont pas ensemble. Choisissez l’une des deux."),
    "QuotationPending": _("Une demande de devis est déjà en cours pour cette option."),
    "QuotationClosed": _("Ce devis n’attend plus de réponse : il a été accepté, refusé ou remplacé."),
    "QuotationExpired": _("Ce devis était valable jusqu’au %(valid_until)s. Demandez-en un nouveau."),
    "LastEstablishment": _(
        "Un abonnement garde au moins un établissement. Pour tout arrêter, résiliez l’abonnement."
    ),
    "UndoCosts": _(
        "Revenir en arrière aurait un coût aujourd’hui. Choisissez-le dans les options : l’aperçu montre le montant."
    ),
    "UnknownEstablishment": _("Cet établissement n’est plus en service. Rechargez la page."),
    "ReturnCosts": _(
        "Votre formule a changé entre-temps : le remettre en service aurait un coût aujourd’hui. "
        "Ajoutez-le de nouveau : l’aperçu montre le montant."
    ),
    "NothingToPay": _("Ces factures sont déjà payées : il n’y a plus rien à régler."),
    "PaymentUnderWay": _(
        "Un paiement de ces factures est déjà en cours : nous attendons la réponse de votre banque. "
        "Attendez-la avant de payer une seconde fois."
    ),
    "ProviderSilent": _(
        "Notre prestataire de paiement ne répond pas. Rien n’a été débité. Réessayez dans quelques minutes, "
        "ou payez par virement."
    ),
    "TransferAlreadyAnnounced": _("Ce virement est déjà annoncé : nous l’attendons jusqu’au %(until_on)s."),
    "TransferAnnouncedTooOften": _(
        "Un virement peut être annoncé %(most)s fois par facture. Payez-la par carte, ou écrivez-nous si l’argent est parti."
    ),
    "TooLateToUndo": _("Un établissement retiré ne peut être remis que le jour même. Ajoutez-le de nouveau."),
    "MethodNotUsable": _(
        "Ce moyen de paiement ne fonctionne plus ou n’est pas encore confirmé. Choisissez-en un autre, ou donnez-le de nouveau."
    ),
    "NothingTakenOff": _(
        "Ce geste ne retirerait rien : ce qu’il vise n’est pas facturé à ce client, ou est déjà offert."
    ),
    "GestureTooShort": _("Le geste commence le %(starts_on)s : choisissez un dernier jour à partir de là."),
    "PriceNotLower": _("Ce prix n’est pas plus bas que le prix normal : il n’y aurait rien de spécial."),
    "ConsentNeeded": _(
        "Ces conditions sont moins bonnes pour le client : notez son accord (qui, quand, par quel moyen)."
    ),
    "CannotUndo": _("Ce geste ne peut plus être annulé : il l’a déjà été, ou autre chose a changé depuis."),
    "DebitSent": _("Le prélèvement du %(collected_on)s est déjà demandé à la banque pour cette facture."),
    "DueDateOutOfRange": _("Choisissez un jour du %(first)s au %(last)s."),
    "MoreThanCanBeRefunded": _(
        "C’est plus que ce qui reste à rembourser : choisissez un montant plus petit."
    ),
    "SameBankAccount": _("Le mandat %(reference)s est déjà signé pour ce compte et ce titulaire."),
    "AlreadyColleague": _("%(email)s a déjà accès à cet espace. Changez son rôle dans la liste."),
    "WorksForAnother": _(
        "Votre adresse a déjà accès à l’espace d’un autre partenaire. Demandez-lui de retirer cet accès, "
        "ou une invitation à une autre adresse."
    ),
    "ResellerNameTaken": _("Le nom court %(slug)s est déjà pris. Choisissez-en un autre."),
    "LastResellerAdmin": _(
        "Un partenaire garde au moins un administrateur. Donnez d’abord ce rôle à quelqu’un d’autre."
    ),
    "ResellerWithoutAccount": _(
        "%(reseller)s n’a pas encore de compte pour recevoir ses factures. Donnez-lui-en un, puis recommencez."
    ),
    "BadOrigin": _(
        "« %(origin)s » n’est pas l’origine exacte d’un site. Écrivez le protocole et le domaine, sans rien après : "
        "https://espace.exemple.be."
    ),
    "TooManyOrigins": _("Un partenaire peut autoriser %(most)s sites au plus."),
    "TooManyKeys": _("%(most)s clés sont déjà actives. Révoquez-en une avant d’en ajouter une autre."),
    "KeyNameTaken": _("Le nom %(kid)s a déjà servi pour une clé de ce partenaire. Choisissez-en un autre."),
    "BadKey": _("Ce n’est pas une clé publique %(algorithm)s au format PEM."),
    "BrandTooPale": _(
        "La couleur %(brand)s est trop pâle pour rester lisible. La plus proche qui le reste est %(suggestion)s."
    ),
    "BadLogo": _(
        "Le logo doit être une image PNG ou JPEG de %(most_kilobytes)s ko au plus, "
        "dont aucun côté ne dépasse %(most_pixels)s pixels."
    ),
}

Explanation = Callable[[Any, str, Mapping[str, str]], str]
# Those that count something, or say one thing or another.
SPECIAL_EXPLANATIONS: dict[str, Explanation] = {}


def explain(refusal: Refusal, locale: str, names: Mapping[str, str] | None = None) -> str:
    """One sentence or two that say why not, and what the reader can do. `names` gives the name of plan and option codes."""
    special = SPECIAL_EXPLANATIONS.get(refusal.code)
    if special is not None:
        return special(refusal, locale, names or {})
    return gettext(EXPLANATIONS[refusal.code], locale, **_facts(refusal, locale, names or {}))


def _facts(refusal: Refusal, locale: str, names: Mapping[str, str]) -> dict[str, object]:
    def said(fact: object) -> object:
        if isinstance(fact, date):
            return date_text(fact, locale)
        return names.get(fact, fact) if isinstance(fact, str) else fact

    return {field.name: said(getattr(refusal, field.name)) for field in fields(refusal)}  # type: ignore[arg-type]


def _explains(code: str) -> Callable[[Explanation], Explanation]:
    def register(explanation: Explanation) -> Explanation:
        SPECIAL_EXPLANATIONS[code] = explanation
        return explanation

    return register


@_explains("OptionsNotOffered")
def _options_not_offered(refusal: Any, locale: str, names: Mapping[str, str]) -> str:
    return ngettext(
        "La formule %(plan)s ne propose pas une option que vous utilisez : %(options)s. Retirez-la d’abord.",
        "La formule %(plan)s ne propose pas des options que vous utilisez : %(options)s. Retirez-les d’abord.",
        len(refusal.option_codes),
        locale,
        plan=names.get(refusal.plan_code, refusal.plan_code),
        options=one_of([names.get(code, code) for code in refusal.option_codes], locale),
    )


@_explains("ContactPartner")
def _contact_partner(refusal: Any, locale: str, names: Mapping[str, str]) -> str:
    return gettext(
        "Ce changement se fait avec votre partenaire. Contactez %(partner)s : %(contact)s.",
        locale,
        partner=refusal.partner,
        contact=", ".join(filter(None, (refusal.email, refusal.phone))),
    )


@_explains("TooManyAttempts")
def _too_many_attempts(refusal: Any, locale: str, names: Mapping[str, str]) -> str:
    return ngettext(
        "Trop d’essais. Réessayez dans %(count)s minute.",
        "Trop d’essais. Réessayez dans %(count)s minutes.",
        refusal.minutes,
        locale,
    )


@_explains("WrongCredentials")
def _wrong_credentials(refusal: Any, locale: str, names: Mapping[str, str]) -> str:
    return ngettext(
        "L’adresse ou le mot de passe ne correspond pas. Il vous reste %(count)s essai.",
        "L’adresse ou le mot de passe ne correspond pas. Il vous reste %(count)s essais.",
        refusal.attempts_left,
        locale,
    )


@_explains("PasswordTooWeak")
def _password_too_weak(refusal: Any, locale: str, names: Mapping[str, str]) -> str:
    if refusal.reason == "short":
        return gettext("Choisissez au moins %(minimum)s caractères.", locale, minimum=refusal.minimum)
    if refusal.reason == "long":
        return gettext("Ce mot de passe est trop long. Choisissez-en un plus court.", locale)
    return gettext("Ce mot de passe est trop courant. Choisissez-en un que personne ne devinerait.", locale)
