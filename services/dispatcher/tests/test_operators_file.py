"""The operators file: what is right is read, what is wrong is named by line with a remedy."""

from pathlib import Path

import pytest

from dispatcher.domain.operators import OperatorsFileError, parse
from dispatcher.operators_file import load

GOOD = """\
[[operators]]
name = "north"
kind = "smpp"
host = "127.0.0.1"
port = 2775
system_id = "carillon"
password = "secret"
binds = 2
window = 50
[operators.errors]
"001" = "absent"

[[operators]]
name = "south"
system_id = "carillon"

[[routes]]
prefix = "33"
operators = [ { name = "north", weight = 3 }, { name = "south", weight = 1 } ]

[[routes]]
prefix = ""
operators = [ { name = "south" } ]
"""


def test_the_documented_file() -> None:
    file = parse(GOOD)
    assert file.operator("north").errors == {"001": "absent"}
    assert file.operator("south").window == 50
    assert [choice.weight for choice in file.routes[0].operators] == [3, 1]
    with pytest.raises(KeyError):
        file.operator("west")


@pytest.mark.parametrize(
    ("find", "replace", "says"),
    [
        ('kind = "smpp"', 'kynd = "smpp"', "line 3: unknown key 'operators.kynd'"),
        ("port = 2775", "port = 99999", "line 5: operators.port: "),
        (
            '{ name = "south", weight',
            '{ name = "west", weight',
            "line 19: operator 'west' of this route does not exist",
        ),
        ('prefix = ""', 'prefix = "33"', "line 22: this route matches the same messages as the one in line 18"),
        ('name = "south"\nsys', 'name = "north"\nsys', "line 14: operator 'north' is defined in line 2 already"),
        (
            'name = "south"\nsystem_id = "carillon"',
            'name = "south"',
            "line 13: operators: Value error, an smpp operator",
        ),
        ('prefix = "33"\n', "", "line 17: 'routes.prefix' is missing"),
        ("[[routes]]", "[[routes]", "this is not TOML"),
        ('password = "secret"', 'password = "longer than eight"', "line 7: operators.password"),
    ],
)
def test_what_is_wrong_is_named(find: str, replace: str, says: str) -> None:
    assert find in GOOD
    with pytest.raises(OperatorsFileError) as error:
        parse(GOOD.replace(find, replace, 1))
    assert says in str(error.value)


def test_everything_wrong_is_said_at_once() -> None:
    with pytest.raises(OperatorsFileError) as error:
        parse(GOOD.replace("port =", "prt =").replace("binds =", "bnds ="))
    assert "operators.prt" in str(error.value)
    assert "operators.bnds" in str(error.value)


def test_passwords_come_from_files(tmp_path: Path) -> None:
    (tmp_path / "north").write_text("hidden\n")
    path = tmp_path / "operators.toml"
    path.write_text(GOOD.replace('password = "secret"', f'password_file = "{tmp_path}/north"'))
    assert load(path).operator("north").password == "hidden"
    (tmp_path / "north").unlink()
    with pytest.raises(OperatorsFileError, match="operator 'north': its password_file"):
        load(path)


def test_a_missing_file_says_which_setting_names_it(tmp_path: Path) -> None:
    with pytest.raises(OperatorsFileError, match="CARILLON_OPERATORS_FILE"):
        load(tmp_path / "none.toml")
