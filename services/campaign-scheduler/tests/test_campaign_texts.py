"""Placeholders, languages and the STOP mention: no empty hole, and nothing that was not written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaign_scheduler.domain.placeholders import Placeholder, TemplateInvalid, ValueMissing, parse
from campaign_scheduler.domain.texts import Texts
from carillon.events.audience import Recipient

_names = st.sampled_from(["name", "Name", "ville", "Code postal", "x_1"])
_plain = st.text(alphabet=st.sampled_from("ab {}€é\n"), max_size=8)
_values = st.text(alphabet=st.sampled_from("xyz €é"), max_size=5)


def _written(piece: str | tuple[str, str | None]) -> str:
    if isinstance(piece, str):
        return piece.replace("{", "{{").replace("}", "}}")
    name, default = piece
    return f"{{{name}}}" if default is None else f"{{{name}|{default}}}"


pieces = st.lists(_plain | st.tuples(_names, st.none() | st.just("client")), max_size=6)


@given(pieces, st.dictionaries(st.sampled_from(["name", "ville", "code postal", "x_1"]), _values))
def test_a_text_is_its_pieces_with_values_or_defaults(
    written: list[str | tuple[str, str | None]], values: dict[str, str]
) -> None:
    pattern = parse("".join(map(_written, written)))
    expected = ""
    for piece in written:
        if isinstance(piece, str):
            expected += piece
            continue
        value = values.get(piece[0].casefold(), "").strip() or piece[1]
        if value is None:
            with pytest.raises(ValueMissing):
                pattern.render(values.get)
            return
        expected += value
    assert pattern.render(values.get) == expected


@given(st.text(max_size=30))
def test_any_text_is_read_or_refused_with_a_code(text: str) -> None:
    try:
        pattern = parse(text)
    except TemplateInvalid:
        assert "{" in text or "}" in text
    else:
        assert pattern.render(lambda _: "v") is not None


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("a { b", "placeholder_malformed"),
        ("a } b", "placeholder_malformed"),
        ("{}", "placeholder_malformed"),
        ("{1a}", "placeholder_malformed"),
        ("{a{b}}", "placeholder_malformed"),
        ("{name|}", "default_empty"),
        ("{name| }", "default_empty"),
    ],
)
def test_what_cannot_be_read(text: str, code: str) -> None:
    with pytest.raises(TemplateInvalid) as caught:
        parse(text)
    assert caught.value.code == code


def test_placeholders_are_told_with_their_defaults() -> None:
    pattern = parse("{Name|client} {ville} {name}")
    assert pattern.placeholders == (
        Placeholder("name", "client"),
        Placeholder("ville", None),
        Placeholder("name", None),
    )
    assert pattern.needed == {"name", "ville"}
    assert pattern.shown() == "client {ville} {name}"


def test_values_are_the_contacts_own_and_its_attributes_in_any_case() -> None:
    texts = Texts({"fr": "{name|client}, {ville}: {NUMBER}"}, "fr")
    recipient = Recipient(number="33611223344", name=" Anne ", attributes={"Ville": "Caen"})
    assert texts.write(recipient).text == "Anne, Caen: +33611223344"
    with pytest.raises(ValueMissing, match="ville"):
        texts.write(Recipient(number="33611223344", attributes={"ville": "  "}))
    assert Texts({"fr": "Bonjour {name|client}"}, "fr").write(Recipient(number="336")).text == "Bonjour client"


@pytest.mark.parametrize(
    ("language", "text"), [("fr-CA", "fr"), ("en", "en"), ("EN-gb", "en"), ("de", "fr"), (None, "fr"), ("fr-BE", "be")]
)
def test_the_language_is_the_recipients_or_the_nearest(language: str | None, text: str) -> None:
    texts = Texts({"fr": "fr", "en": "en", "fr-BE": "be"}, "fr")
    assert texts.write(Recipient(number="33611223344", language=language)).text == text


def test_the_stop_mention_is_counted_and_said_once() -> None:
    long = "a" * 155
    assert Texts({"*": long}, "*").write(Recipient(number="336")).parts == 1
    with_mention = Texts({"*": long}, "*", "STOP au 36111").write(Recipient(number="336"))
    assert (with_mention.text, with_mention.parts) == (f"{long} STOP au 36111", 2)
    own = Texts({"*": "Sale! stop: 36111"}, "*", "STOP au 36111").write(Recipient(number="336"))
    assert own.text == "Sale! stop: 36111"
    stops = Texts({"*": "Hi {name|x}"}, "*", "STOP au 36111").write(Recipient(number="336", name="STOP"))
    assert stops.text == "Hi STOP STOP au 36111"
