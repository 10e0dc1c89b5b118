"""Routes: longest prefix, then order; conditions; weights; failover."""

from collections import Counter

import pytest

from carillon.testing.builders import an_accepted
from dispatcher.domain.operators import Choice, Route
from dispatcher.domain.routing import RouteTable


def route(prefix: str, *names: str, **conditions: tuple[str, ...]) -> Route:
    choices = tuple(Choice(name=name) for name in names)
    return Route.model_validate({"prefix": prefix, "operators": choices, **conditions})


TABLE = RouteTable(
    [
        route("33", "france"),
        route("336", "urgent-france", lanes=("urgent",)),
        route("336", "brand", senders=("Brand",)),
        route("336", "mobile"),
        route("32", "one-account", accounts=("acc_9",)),
        route("", "rest"),
    ]
)


@pytest.mark.parametrize(
    ("fields", "operator"),
    [
        ({"number": "33612345678"}, "mobile"),
        ({"number": "33712345678"}, "france"),
        ({"number": "33612345678", "lane": "urgent"}, "urgent-france"),
        ({"number": "33612345678", "sender": "Brand"}, "brand"),
        ({"number": "32412345678"}, "rest"),
        ({"number": "32412345678", "account": "acc_9"}, "one-account"),
        ({"number": "447700900123"}, "rest"),
    ],
)
def test_the_first_match_of_the_longest_prefix(fields: dict[str, str], operator: str) -> None:
    assert TABLE.operators_for(an_accepted(**fields)) == [operator]


def test_no_route() -> None:
    assert RouteTable([route("33", "france")]).operators_for(an_accepted(number="447700900123")) == []


def test_weights_share_and_the_others_are_failover_by_weight() -> None:
    choices = (Choice(name="a", weight=3), Choice(name="b", weight=1), Choice(name="spare", weight=0))
    table = RouteTable([Route(prefix="", operators=choices)])
    messages = [an_accepted() for _ in range(4_000)]
    orders = [table.operators_for(message) for message in messages]
    first = Counter(order[0] for order in orders)
    assert 2_850 < first["a"] < 3_150
    assert first["spare"] == 0
    assert {tuple(order) for order in orders} == {("a", "b", "spare"), ("b", "a", "spare")}
    assert orders == [table.operators_for(message) for message in messages]  # routed again, the same way
