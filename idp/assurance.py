"""How strong a sign-in was: configuration maps (method, means) to acr (design section 5)."""

from collections.abc import Iterable

from idp.conf import ACR_ORDER, AcrRule


def acr_of(rules: Iterable[AcrRule], method: str, means: Iterable[str]) -> str:
    """The strongest acr whose rule names this method and only means that were used; "" for none."""
    used = frozenset(means)
    reached = [rule.acr for rule in rules if rule.method == method and used.issuperset(rule.means)]
    return max(reached, key=strength, default="")


def strength(acr: str) -> int:
    """Position in the order of strength; -1 for a value that is none of ours."""
    return ACR_ORDER.index(acr) if acr in ACR_ORDER else -1


def reaches(acr: str, required: str) -> bool:
    """Whether `acr` is at least as strong as `required` ("" requires nothing)."""
    return not required or strength(acr) >= strength(required) >= 0
