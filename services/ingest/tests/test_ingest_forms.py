"""Query strings, forms and XML as old clients write them, and as hostile ones do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.domain.push import PARAMETERS
from ingest.domain.refusal import Refusal
from ingest.doors.form import decode_form
from ingest.doors.push_body import read_push

NAMES = {name.encode(): name for name in PARAMETERS}
FORM = "application/x-www-form-urlencoded"
GOOD = {"number": "33614806759", "content": "été"}


@pytest.mark.parametrize(
    ("query", "content"),
    [
        (b"content=a+b%20c", "a b c"),
        (b"content=%E9t%E9", "été"),
        (b"content=%C3%A9t%C3%A9", "été"),
        ("content=été".encode(), "été"),
        ("content=été".encode("cp1252"), "été"),
        (b"content=%80", "€"),
        (b"content=%81", "\x81"),
        (b"CONTENT=a&content=b", "a"),
        (b"content=&content=b", ""),
        (b"content=%20%09a%0D%0A", "a"),
        (b"%63ontent=a=b", "a=b"),
        (b"content=100%&x=1", "100%"),
        (b"content=%zz%4", "%zz%4"),
        (b"content", ""),
        (b"&&=&content=a&", "a"),
    ],
)
def test_a_value_in_a_query(query: bytes, content: str) -> None:
    assert decode_form(query, NAMES) == {"content": content}


@given(st.binary(max_size=300))
def test_decoding_a_form_never_raises(form: bytes) -> None:
    assert all(value == value.strip() for value in decode_form(form, NAMES).values())


XML = "<sms><number>33614806759</number><content>été</content></sms>"


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (XML.encode(), "text/xml"),
        (XML.encode(), FORM),
        (b"\xef\xbb\xbf  \r\n" + XML.encode(), ""),
        (b'<?xml version="1.0" encoding="UTF-8"?>' + XML.encode(), "text/xml"),
        (b"\n<?xml version='1.0' encoding='iso-8859-1'?>" + XML.encode("latin-1"), "text/xml"),
        (b'<?xml version="1.0" encoding="Windows-1252" ?>' + XML.encode("cp1252"), "text/plain"),
        (b'<s:SMS xmlns:s="urn:x"><s:Number>33614806759</s:Number><CONTENT>&#233;t\xc3\xa9</CONTENT></s:SMS>', ""),
        (XML.replace("</sms>", "<content>b</content><who>x</who></sms>").encode(), ""),
        (XML.replace("été", "<![CDATA[ été ]]>").encode(), ""),
        (b"xmldata=%3Csms%3E%3Cnumber%3E33614806759%3C/number%3E%3Ccontent%3E%E9t%E9%3C/content%3E%3C/sms%3E", FORM),
        (b"XmlData=" + XML.replace("é", "%C3%A9").encode(), FORM),
        (
            b'xmldata=<%3Fxml version="1.0" encoding="ISO-8859-1"%3F>' + XML.replace("é", "%C3%A9").encode(),
            FORM,
        ),
        (b"number=33614806759&content=%E9t%E9", FORM),
    ],
)
def test_a_body_that_is_read(body: bytes, content_type: str) -> None:
    assert read_push(body, content_type) == GOOD


def multipart(*parts: bytes) -> bytes:
    return b"".join(b"--B\r\n" + part + b"\r\n" for part in parts) + b"--B--\r\n"


@pytest.mark.parametrize("disposition", [b'name="xmldata"', b'name="XMLDATA"; filename="push.xml"'])
@pytest.mark.parametrize("encoding", ["utf-8", "cp1252"])
def test_a_multipart_form(disposition: bytes, encoding: str) -> None:
    part = b"Content-Disposition: form-data; " + disposition + b"\r\n\r\n" + XML.encode(encoding)
    other = b'Content-Disposition: form-data; name="x"\r\n\r\nxmldata'
    assert read_push(multipart(other, part), "multipart/form-data; boundary=B") == GOOD


BILLION = (
    b'<!DOCTYPE sms [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    b"<sms><number>33614806759</number><content>&b;</content></sms>"
)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (BILLION, "xml_invalid"),
        (b'<!DOCTYPE sms SYSTEM "http://127.0.0.1/x.dtd"><sms/>', "xml_invalid"),
        (b'<!DOCTYPE sms [<!ENTITY x SYSTEM "file:///etc/passwd">]><sms><content>&x;</content></sms>', "xml_invalid"),
        (b"<!DOCTYPE sms><sms/>", "xml_invalid"),
        (b"<sms><content>&eacute;</content></sms>", "xml_invalid"),
        (b"<sms><number>", "xml_invalid"),
        (b"<", "xml_invalid"),
        (b"<sms/><sms/>", "xml_invalid"),
        (b"<push><number>33614806759</number></push>", "xml_invalid"),
        (b"<sms><content>\x00</content></sms>", "xml_invalid"),
        (b"<sms><content>&#0;</content></sms>", "xml_invalid"),
        (XML.encode("latin-1"), "xml_invalid"),
        (XML.encode("utf-16"), "xml_invalid"),
        (b'<?xml version="1.0" encoding="utf-16"?>' + XML.encode(), "xml_encoding"),
        (b'<?xml version="1.0" encoding="UTF-7"?><sms/>', "xml_encoding"),
        (b'<?xml version="1.0" encoding="EBCDIC-CP-FR"?><sms/>', "xml_encoding"),
        (b"<a>" * 20_000, "xml_invalid"),
        (b"<sms>" + b"<a>" * 9_000 + b"</a>" * 9_000, "xml_invalid"),
    ],
)
def test_xml_that_is_refused(body: bytes, code: str) -> None:
    with pytest.raises(Refusal, match=code):
        read_push(body, "text/xml")


def test_deep_nesting_inside_a_parameter_does_no_harm() -> None:
    body = b"<sms><number>33614806759</number><x>" + b"<a>" * 8_000 + b"</a>" * 8_000 + b"</x></sms>"
    assert read_push(body, "text/xml") == {"number": "33614806759"}


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"nonsense", "multipart/form-data; boundary=B"),
        (b"xmldata", "multipart/form-data"),
        (b"--B\r\nContent-Disposition: form-data\r\n\r\nx\r\n--B--", "multipart/form-data; boundary=B"),
    ],
)
def test_a_multipart_form_that_is_refused(body: bytes, content_type: str) -> None:
    with pytest.raises(Refusal, match="multipart_invalid"):
        read_push(body, content_type)


_pieces = st.sampled_from(
    [
        b"<",
        b">",
        b"<sms>",
        b"</sms>",
        b"<number>",
        b"</number>",
        b"<?xml ",
        b'encoding="latin1"',
        b"?>",
        b"<!DOCTYPE a [",
        b'<!ENTITY b "c">',
        b"]>",
        b"&b;",
        b"<![CDATA[",
        b"]]>",
        b"<!--",
        b"-->",
        b"xmldata=",
        b"%3C",
        b"&",
        b"=",
        b"--B",
        b"\r\n",
        b"Content-Disposition: form-data; name=",
        b'"xmldata"',
        b"Content-Transfer-Encoding: base64",
        b"\xff\xfe",
        b"\xef\xbb\xbf",
        b"33614806759",
        b"--",
    ]
)


@given(
    st.lists(_pieces | st.binary(max_size=8), max_size=30).map(b"".join),
    st.sampled_from(
        [
            "multipart/form-data; boundary=B",
            "multipart/form-data",
            FORM,
            "text/xml",
            "",
            "multipart/form-data; boundary=",
        ]
    ),
)
def test_any_body_is_read_or_refused(body: bytes, content_type: str) -> None:
    refused: str | None = None
    parameters: dict[str, str] = {}
    try:
        parameters = read_push(body, content_type)
    except Refusal as refusal:
        refused = refusal.code
    assert refused in {None, "xml_invalid", "xml_encoding", "multipart_invalid"}
    assert set(parameters) <= PARAMETERS
