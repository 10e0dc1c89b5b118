"""Prepaid credit on the whole platform, one process as `carillon up` starts it: by commands, by card, by message."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from carillon_cli import main
from carillon_cli import up as platform
from carillon_cli.servers import Home
from carillon_cli.servers.ports import choose_ports

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]

SIMULATED = 45_000  # the price of one part to France in the price list below
PRICES = "prefix;destination;price\r\n33;France;0.0450\r\n49;Germany;0.0700\r\n"


@pytest.fixture(scope="module")
def home(amqp_url: str, mongo_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    patch = pytest.MonkeyPatch()
    home = Home(tmp_path_factory.mktemp("prepaid"))
    patch.setenv("CARILLON_AMQP_URL", amqp_url)
    patch.setenv("CARILLON_MONGO_URL", mongo_url)
    patch.setenv("CARILLON_MONGO_PREFIX", "prepaid_")
    patch.setenv("CARILLON_HOME", str(home.path))
    try:
        platform.bring_up(home, choose_ports(home.path, ["front"], 16_100)["front"], False, lambda _: None)
        yield home
    finally:
        platform.bring_down(home, lambda _: None)
        patch.undo()


def carillon(*words: str) -> Result:
    """A command, as an operator of the platform types it."""
    return CliRunner().invoke(main.app, list(words))


def test_accounts_prices_and_credit_by_commands(home: Home, tmp_path: Path) -> None:
    made = carillon("account", "create", "Shop", "--prepaid")
    assert made.exit_code == 0, made.output
    account = made.output.strip()
    assert account.startswith("acc_")
    for _ in range(2):  # the same key again changes nothing
        assert carillon("account", "topup", account, "12.50", "--key", "invoice-1").output == "balance 12.50 EUR\n"
    assert "balance 7.50 EUR" in carillon("account", "topup", "--key", "invoice-2", "--", account, "-5").output
    shown = carillon("account", "show", account).output
    assert "prepaid" in shown
    assert "balance 7.50 EUR, available 7.50 EUR" in shown
    assert carillon("account", "topup", account, "many", "--key", "x").exit_code == 2
    unknown = carillon("account", "show", "acc_nobody")
    assert unknown.exit_code == 1
    assert "account_unknown" in unknown.output

    file = tmp_path / "prices.csv"
    file.write_text(PRICES, newline="")
    imported = carillon("prices", "import", str(file), "--name", "Test")
    assert imported.output.endswith("2 rates\n"), imported.output
    price_list = imported.output.split()[0]
    exported = carillon("prices", "export", price_list).output
    assert "33;France;0.0450;;" in exported
    file.write_text(PRICES + "x;Nowhere;dear\r\n", newline="")
    wrong = carillon("prices", "import", str(file), "--list", price_list)
    assert wrong.exit_code == 1
    assert "line" in wrong.output
    assert carillon("prices", "export", price_list).output == exported
    assert price_list in carillon("prices", "export").output

    checked = carillon("ledger", "check")
    assert (checked.exit_code, checked.output) == (0, "the ledger balances\n")
