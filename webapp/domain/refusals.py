"""Typed refusals: a code and facts. The sentence a person reads is made by `i18n.explain`, never here."""

from dataclasses import dataclass
from datetime import date

from webapp.domain.money import Money


class Refusal(Exception):
    """A rule says no. Subclasses are dataclasses whose fields are the facts of the sentence.

    Not frozen: Python itself writes the traceback onto an exception.
    """

    @property
    def code(self) -> str:
        return type(self).__name__


@dataclass(eq=False)
class SubscriptionEnded(Refusal):
    """The contract is over: its invoices stay readable, nothing can be changed (T4)."""

    ended_on: date


@dataclass(eq=False)
class KindFrozen(Refusal):
    """A commitment signed as a business binds until its end, and a consumer's protection lasts as long: the kind of
    customer does not change between the two while it runs."""

    last_day: date


@dataclass(eq=False)
class SamePlan(Refusal):
    """The plan and the frequency asked for are those in force."""


@dataclass(eq=False)
class PlanNotForSale(Refusal):
    """No such plan, frequency or tariff is offered to this account today."""


@dataclass(eq=False)
class OptionsNotOffered(Refusal):
    """Options in use that the plan asked for does not offer, to be removed first (P7)."""

    option_codes: tuple[str, ...]
    plan_code: str


@dataclass(eq=False)
class ContactPartner(Refusal):
    """The reseller's policy keeps this action for itself (P8)."""

    partner: str
    email: str
    phone: str


@dataclass(eq=False)
class TerminationPending(Refusal):
    """A termination is pending: it must be withdrawn before the plan changes (M5)."""

    effective_on: date


@dataclass(eq=False)
class AlreadyTerminated(Refusal):
    """Notice was given already: the termination pending can be withdrawn, not asked for again (T3)."""

    last_day: date


@dataclass(eq=False)
class WithdrawalTooLate(Refusal):
    """Withdrawing is for consumers, within fourteen days of signing."""


@dataclass(eq=False)
class StalePreview(Refusal):
    """The price or the contract moved between the preview and the confirmation (P1): new figures are shown."""


@dataclass(eq=False)
class AlreadyMember(Refusal):
    """The address invited belongs to somebody who has access already (U2)."""

    email: str


@dataclass(eq=False)
class InvitationForAnother(Refusal):
    """The invitation was sent to another address than the one signed in (U2)."""

    email: str


@dataclass(eq=False)
class LastOwner(Refusal):
    """An account keeps at least one owner (U2)."""


@dataclass(eq=False)
class ClosureTooEarly(Refusal):
    """An account whose subscription runs cannot be closed: it is terminated first (U4)."""


@dataclass(eq=False)
class WrongReference(Refusal):
    """Closing an account asks for its reference, typed by hand."""

    reference: str


@dataclass(eq=False)
class NotAMember(Refusal):
    """No such person in this account: removed meanwhile, or another account's."""


@dataclass(eq=False)
class WrongCode(Refusal):
    """The code of the authenticator application, or the recovery code, is not right or has served."""


@dataclass(eq=False)
class StalePage(Refusal):
    """Somebody saved other values since the form was opened: nothing is overwritten unseen (A4)."""


@dataclass(eq=False)
class KeyReused(Refusal):
    """The idempotency key came back with another request."""


@dataclass(eq=False)
class ChangeAlreadyDone(Refusal):
    """The scheduled change to undo has happened, or was undone already."""


@dataclass(eq=False)
class TooManyAttempts(Refusal):
    """Sign-in attempts are counted per address and per IP; `minutes` until the next one."""

    minutes: int


@dataclass(eq=False)
class WrongCredentials(Refusal):
    """Unknown address or wrong password: the same answer for both."""

    attempts_left: int


@dataclass(eq=False)
class LinkExpired(Refusal):
    """A mailed link that is unknown, used or too old."""


@dataclass(eq=False)
class ProviderAway(Refusal):
    """The identity provider of the team does not answer, or not as it should. `detail` is for the log."""

    provider: str
    detail: str


@dataclass(eq=False)
class SignInNotProved(Refusal):
    """What came back from the identity provider proves nothing here. `detail` is for the log."""

    detail: str


@dataclass(eq=False)
class SignInInterrupted(Refusal):
    """The identity provider says that the sign-in was given up, or refused there."""

    provider: str


@dataclass(eq=False)
class NotOfTheTeam(Refusal):
    """Nobody of the team has the address that the identity provider gives."""


@dataclass(eq=False)
class AddressNotVerified(Refusal):
    """The identity provider gives an address without having verified it: anybody might have written it."""


@dataclass(eq=False)
class BoundToAnother(Refusal):
    """The person with this address has signed in with another account of the identity provider before."""


@dataclass(eq=False)
class PasswordTooWeak(Refusal):
    """Too short, too long or among the well-known ones; `reason` is short, long or common."""

    reason: str
    minimum: int = 12


@dataclass(eq=False)
class PublicationTooEarly(Refusal):
    """A version of this plan or option already begins after the day asked for: history is not rewritten (C1)."""

    catalogue_code: str
    begins_on: date


@dataclass(eq=False)
class OptionKindFixed(Refusal):
    """An option was published as another kind: those who hold it were sold that kind (C4)."""

    option_code: str
    kind: str


@dataclass(eq=False)
class DraftChanged(Refusal):
    """A colleague saved the draft of the catalogue since the page was shown (A4)."""

    changed_by: str


@dataclass(eq=False)
class DraftClosed(Refusal):
    """The draft of the catalogue was published or given up: it changes no more."""

    closed_by: str


@dataclass(eq=False)
class DraftOutdated(Refusal):
    """The catalogue was published otherwise since the draft began: publishing the draft would undo that unseen."""


@dataclass(eq=False)
class DraftIncomplete(Refusal):
    """The checks of the catalogue find something to mend in the draft."""


@dataclass(eq=False)
class UnknownOption(Refusal):
    """No such option, or not at such a place: a forged or outdated form."""

    option_code: str


@dataclass(eq=False)
class OptionNotOffered(Refusal):
    """The plan in force does not sell this option (O6)."""

    option_code: str
    plan_code: str


@dataclass(eq=False)
class OptionAlreadyIncluded(Refusal):
    """The plan already includes this option: there is nothing to buy (O6)."""

    option_code: str


@dataclass(eq=False)
class QuantityOutOfRange(Refusal):
    """A quantity outside what the catalogue allows; both bounds are in range."""

    option_code: str
    least: int
    most: int


@dataclass(eq=False)
class OptionRequires(Refusal):
    """An option asked for needs another one, which is not held (O6)."""

    option_code: str
    needed_code: str


@dataclass(eq=False)
class OptionRequired(Refusal):
    """An option to remove is needed by another one that stays (O6)."""

    option_code: str
    by: str


@dataclass(eq=False)
class OptionExcluded(Refusal):
    """Two options that do not go together (O6)."""

    option_code: str
    other_code: str


@dataclass(eq=False)
class LastEstablishment(Refusal):
    """An account keeps at least one establishment (E1, E5)."""


@dataclass(eq=False)
class UnknownEstablishment(Refusal):
    """No such establishment in service: removed meanwhile, or another account's."""


@dataclass(eq=False)
class TooLateToUndo(Refusal):
    """A removed establishment comes back the same day only (E5)."""


@dataclass(eq=False)
class ReturnCosts(Refusal):
    """The year was paid without the establishment meanwhile: adding it again goes through a preview (P1)."""

    due: Money


@dataclass(eq=False)
class NothingToSave(Refusal):
    """The draft asks for what already stands."""


@dataclass(eq=False)
class QuotationPending(Refusal):
    """A quotation for this option is under way: it is answered or declined first (C4)."""


@dataclass(eq=False)
class QuotationClosed(Refusal):
    """The quotation was accepted or declined already, or has no price yet (C4)."""


@dataclass(eq=False)
class QuotationExpired(Refusal):
    """The offer could be accepted until a day that has passed (C4)."""

    valid_until: date


@dataclass(eq=False)
class UndoCosts(Refusal):
    """Undoing would charge something, so it goes through a preview: for an option, by choosing it again (P1)."""

    due: Money


@dataclass(eq=False)
class IncompleteDetails(Refusal):
    """The billing details cannot give a valid document (B4). `fields` are such as buyer.vat_number."""

    fields: tuple[str, ...]


@dataclass(eq=False)
class MethodNotUsable(Refusal):
    """The payment method asked for is blocked, expired, closed or not confirmed yet (D2)."""


@dataclass(eq=False)
class SameBankAccount(Refusal):
    """The mandate in force is already for this account and this holder: there is nothing to sign (D1)."""

    reference: str


@dataclass(eq=False)
class NothingToPay(Refusal):
    """The invoices asked for are paid already, or are none of this account."""


@dataclass(eq=False)
class PaymentUnderWay(Refusal):
    """The bank's answer to an earlier payment of these invoices is awaited: a second one could take the money twice."""


@dataclass(eq=False)
class ProviderSilent(Refusal):
    """The payment provider did not answer, or not as it should: nothing was asked of the card (D1)."""


@dataclass(eq=False)
class TransferAlreadyAnnounced(Refusal):
    """A transfer announced for the invoice is still believed (M9)."""

    until_on: date


@dataclass(eq=False)
class TransferAnnouncedTooOften(Refusal):
    """An announcement stops the clock twice at most: after that, only the money does (M9)."""

    most: int


@dataclass(eq=False)
class NothingTakenOff(Refusal):
    """The gesture would lessen no charge: the option is not held, is free already, or other gestures took it all (S2)."""


@dataclass(eq=False)
class GestureTooShort(Refusal):
    """A gesture lasts one day at least: its last day is before the one it begins on (S2)."""

    starts_on: date


@dataclass(eq=False)
class PriceNotLower(Refusal):
    """A special price is below the list price, which is per unit and whole period, VAT excluded (S2)."""

    list_price: Money


@dataclass(eq=False)
class ConsentNeeded(Refusal):
    """Terms less good for the client are changed with the client's agreement, noted in words (S2, C3)."""


@dataclass(eq=False)
class CannotUndo(Refusal):
    """The gesture was undone already, or what it did has been changed by something else since (S2)."""


@dataclass(eq=False)
class DebitSent(Refusal):
    """The invoice is at the bank or the provider already, for that day: its due date no longer decides (D3)."""

    collected_on: date


@dataclass(eq=False)
class DueDateOutOfRange(Refusal):
    """A later due date: after the one in force, and no further than half a year from today; both bounds are in range."""

    first: date
    last: date


@dataclass(eq=False)
class MoreThanCanBeRefunded(Refusal):
    """The amount is above the credit of the account, or above what is left of the payment (M6)."""

    left: Money


@dataclass(eq=False)
class NothingToView(Refusal):
    """The account has no subscription: its client has no page to be looked at (S1)."""


@dataclass(eq=False)
class AlreadyColleague(Refusal):
    """The address invited belongs to somebody who works for this reseller already."""

    email: str


@dataclass(eq=False)
class WorksForAnother(Refusal):
    """Who answers the invitation has a place with another reseller: a person works for one at a time."""


@dataclass(eq=False)
class ResellerNameTaken(Refusal):
    """Another reseller has this short name, which stands in the addresses of the embed."""

    slug: str


@dataclass(eq=False)
class LastResellerAdmin(Refusal):
    """A reseller keeps at least one administrator."""


@dataclass(eq=False)
class ResellerWithoutAccount(Refusal):
    """A reseller that would be billed itself has no account to receive its documents (R1)."""

    reseller: str


@dataclass(eq=False)
class BadOrigin(Refusal):
    """Not the exact https origin of a site, such as https://espace.horecaplus.example (R1)."""

    origin: str


@dataclass(eq=False)
class TooManyOrigins(Refusal):
    """More sites than a reseller may frame the portal in."""

    most: int


@dataclass(eq=False)
class TooManyKeys(Refusal):
    """Both keys are active: one is revoked before another is added (R4)."""

    most: int


@dataclass(eq=False)
class KeyNameTaken(Refusal):
    """The reseller has, or had, a key of this name: a name means one key for ever."""

    kid: str


@dataclass(eq=False)
class BadKey(Refusal):
    """Not a public key of this algorithm, as PEM."""

    algorithm: str


@dataclass(eq=False)
class BrandTooPale(Refusal):
    """Text in this colour, or white text on it, cannot be read; `suggestion` is the nearest that can (R1)."""

    brand: str
    suggestion: str


@dataclass(eq=False)
class BadLogo(Refusal):
    """Not a PNG or a JPEG, or too heavy, or too large."""

    most_kilobytes: int
    most_pixels: int


@dataclass(eq=False)
class NobodyToMigrate(Refusal):
    """No subscriber of the version would be moved (S3)."""


@dataclass(eq=False)
class DecidedByOperator(Refusal):
    """A change that the operator has decided: the client does not undo it (S3)."""

    effective_on: date
