"""What only a whole catalogue can tell: one entry against the others, whether it comes from a file or from a draft."""

from collections.abc import Sequence

from webapp.adapters.yaml_file import Entry
from webapp.domain.catalogue import CatalogueOption, CataloguePlan
from webapp.i18n import _


def check_together(
    plan_entries: Sequence[Entry],
    plans: Sequence[CataloguePlan],
    option_entries: Sequence[Entry],
    options: Sequence[CatalogueOption],
) -> None:
    """Complain, on the entry to mend, of what its neighbours make wrong."""
    _refuse_equal_ranks(plan_entries, plans)
    needs = {option.code: option.requires for option in options}
    for entry, option in zip(option_entries, options, strict=True):
        _check_requirements(entry, option, needs)
        _check_requirement_is_reachable(entry, option, plans, options)
    for entry, option in zip(option_entries, options, strict=True):
        _check_prices_follow_plans(entry, option, plans)


def _refuse_equal_ranks(entries: Sequence[Entry], plans: Sequence[CataloguePlan]) -> None:
    ranks: dict[int, str] = {}
    for entry, plan in zip(entries, plans, strict=True):
        if plan.rank in ranks and entry.has("rank"):
            entry.complain(
                "rank",
                _("Le rang %(rank)s est déjà celui de la formule « %(plan)s »."),
                rank=plan.rank,
                plan=ranks[plan.rank],
            )
        ranks.setdefault(plan.rank, plan.code)


def _check_requirements(entry: Entry, option: CatalogueOption, needs: dict[str, tuple[str, ...]]) -> None:
    loop = _loop_from(option.code, needs)
    if loop:
        entry.complain(
            "requires",
            _("Ces options se demandent l’une l’autre, en boucle : %(loop)s."),
            loop=" → ".join(loop),
        )
    if option.code in option.excludes:
        entry.complain("excludes", _("Une option ne peut pas s’exclure elle-même."))
    for code in sorted(set(option.requires) & set(option.excludes)):
        entry.complain("excludes", _("« %(value)s » est à la fois demandée et exclue."), value=code)


def _check_requirement_is_reachable(
    entry: Entry, option: CatalogueOption, plans: Sequence[CataloguePlan], options: Sequence[CatalogueOption]
) -> None:
    """A plan that sells an option must also sell, or include, what that option demands."""
    known = {plan.code for plan in plans}
    for needed in (other for other in options if other.code in option.requires):
        for plan_code in option.offered_by:
            if plan_code not in needed.offered_by + needed.included_by and plan_code in known:
                entry.complain(
                    "requires",
                    _(
                        "La formule « %(plan)s » propose cette option mais ni ne propose ni "
                        "n’inclut « %(needed)s », qu’elle demande."
                    ),
                    plan=plan_code,
                    needed=needed.code,
                )


def _check_prices_follow_plans(entry: Entry, option: CatalogueOption, plans: Sequence[CataloguePlan]) -> None:
    """Where a plan is sold monthly and annually, so are the options it offers, in the same currency."""
    if option.kind in ("one_off", "on_quotation"):
        return
    own = {price.key for price in option.prices}
    sellers = {(key.reseller, key.currency) for key in own}
    for plan in (plan for plan in plans if plan.code in option.offered_by):
        for key in dict.fromkeys(price.key for price in plan.prices):
            sold_here = (key.reseller, key.currency) in sellers
            if sold_here and key not in own:
                entry.complain(
                    "prices",
                    _(
                        "La formule « %(plan)s » a un tarif %(wanted)s et propose cette option, "
                        "qui n’en a pas. Attendu : un tarif %(wanted)s."
                    ),
                    plan=plan.code,
                    wanted=key,
                )
                own.add(key)


def _loop_from(code: str, needs: dict[str, tuple[str, ...]]) -> list[str]:
    """The way back to `code` through requirements, if there is one."""
    paths = [[code]]
    seen: set[str] = set()
    while paths:
        path = paths.pop()
        for needed in needs.get(path[-1], ()):
            if needed == code:
                return [*path, code]
            if needed not in seen:
                seen.add(needed)
                paths.append([*path, needed])
    return []
