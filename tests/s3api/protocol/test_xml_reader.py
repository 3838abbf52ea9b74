"""Documents: read strictly by their schema, and hardened against hostile ones."""

from __future__ import annotations

from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3api.errors import S3Error
from s3api.http.query import Query
from s3api.protocol import OPERATIONS
from s3api.protocol.xml_reader import DOCUMENT_BYTES_MAX, ITEMS_MAX, STEP_BYTES

XMLNS: Final = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
KEY: Final = "<Object><Key>a</Key></Object>"


def read(name: str, document: str | bytes) -> Any:
    """Bind a document, and answer what it became."""
    body = document.encode() if isinstance(document, str) else document
    bound = OPERATIONS[name].bind("b", "k", Query(b""), [], body)
    return next(value for member, value in bound.items() if member not in {"Bucket", "Key"})


def refused(name: str, document: str | bytes) -> str:
    """Bind a document that must be refused, and answer the code."""
    with pytest.raises(S3Error) as caught:
        read(name, document)
    return caught.value.code


@pytest.mark.parametrize(
    "document",
    [
        f"<Delete><Quiet>true</Quiet>{KEY}</Delete>",
        f'<?xml version="1.0"?>\n<Delete {XMLNS}>\n {KEY}\n<Quiet>1</Quiet></Delete>\n',
        f'<Delete xmlns="urn:another">{KEY}<Quiet>TRUE</Quiet></Delete>',
        '<x:Delete xmlns:x="urn:x"><x:Quiet>1</x:Quiet>'
        + KEY.replace("<", "<x:").replace("<x:/", "</x:")
        + "</x:Delete>",
        "<!--c--><Delete><Object><Key><![CDATA[a]]></Key></Object><Quiet>1</Quiet></Delete>",
        f"<Delete unknown='1'>{KEY}<Quiet> true </Quiet></Delete>",
        f"\ufeff<Delete>{KEY}<Quiet>true</Quiet></Delete>",
    ],
)
def test_a_document_is_read_whatever_its_dress(document: str) -> None:
    """Namespaces, prefixes, blanks, comments, CDATA and order do not matter."""
    assert read("DeleteObjects", document) == {"Objects": [{"Key": "a"}], "Quiet": True}


def test_values_become_what_they_are() -> None:
    """Integers, times and booleans are converted; text keeps its blanks and references."""
    document = (
        "<Delete><Object><Key> a&#x9;&lt;b&amp;é </Key><VersionId/><Size> 42 </Size>"
        "<LastModifiedTime>Sun, 06 Nov 1994 08:49:37 GMT</LastModifiedTime></Object></Delete>"
    )
    assert read("DeleteObjects", document) == {
        "Objects": [
            {
                "Key": " a\t<b&é ",
                "VersionId": "",
                "Size": 42,
                "LastModifiedTime": 784_111_777_000,
            }
        ]
    }


def test_lists_stand_in_an_element_or_in_their_parent() -> None:
    """Both list forms of S3, empty ones and structures without members."""
    tags = "<Tagging><TagSet><Tag><Key>a</Key><Value/></Tag></TagSet></Tagging>"
    assert read("PutBucketTagging", tags) == {"TagSet": [{"Key": "a", "Value": ""}]}
    assert read("PutBucketTagging", "<Tagging><TagSet/></Tagging>") == {"TagSet": []}
    rules = (
        "<LifecycleConfiguration><Rule><Status>Enabled</Status><Filter/>"
        "<Expiration><Date>2030-01-01T00:00:00.000Z</Date></Expiration></Rule></LifecycleConfiguration>"
    )
    assert read("PutBucketLifecycleConfiguration", rules) == {
        "Rules": [{"Status": "Enabled", "Filter": {}, "Expiration": {"Date": 1_893_456_000_000}}]
    }


def test_a_grantee_has_its_type_from_an_attribute() -> None:
    """xsi:type is a member, and it is required."""
    xsi = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser"'
    grant = "<Grant><Grantee {}><ID>i</ID></Grantee><Permission>READ</Permission></Grant>"
    acl = (
        f"<AccessControlPolicy><AccessControlList>{grant}</AccessControlList></AccessControlPolicy>"
    )
    assert read("PutBucketAcl", acl.format(xsi)) == {
        "Grants": [{"Grantee": {"Type": "CanonicalUser", "ID": "i"}, "Permission": "READ"}]
    }
    assert refused("PutBucketAcl", acl.format("")) == "MalformedACLError"


def test_select_is_a_document_of_its_own_members() -> None:
    """SelectObjectContent has no payload member: its document is its input."""
    document = (
        f"<SelectObjectContentRequest {XMLNS}><Expression>e</Expression>"
        "<ExpressionType>SQL</ExpressionType><InputSerialization><CSV/></InputSerialization>"
        "<OutputSerialization><JSON/></OutputSerialization></SelectObjectContentRequest>"
    )
    bound = OPERATIONS["SelectObjectContent"].bind("b", "k", Query(b""), [], document.encode())
    assert bound["InputSerialization"] == {"CSV": {}}
    assert bound["Expression"] == "e"


@pytest.mark.parametrize(
    "document",
    [
        b"not xml",
        b"<Delete>",
        b"<Delete></Deletee>",
        f"<Other>{KEY}</Other>".encode(),
        b"<Delete/>",
        b"<Delete><Quiet>true</Quiet></Delete>",
        b"<Delete><Object/></Delete>",
        b"<Delete><Object><Key>a</Key><Key>b</Key></Object></Delete>",
        f"<Delete>{KEY}<Quiet>true</Quiet><Quiet>true</Quiet></Delete>".encode(),
        f"<Delete>{KEY}<Unknown/></Delete>".encode(),
        b"<Delete><Object><Key><b/></Key></Object></Delete>",
        f"<Delete>text{KEY}</Delete>".encode(),
        f"<Delete>{KEY}text</Delete>".encode(),
        b"<Delete><Object><Key>a</Key><Size>many</Size></Object></Delete>",
        b"<Delete><Object><Key>a</Key><Size>99999999999999999999</Size></Object></Delete>",
        b"<Delete><Object><Key>a</Key><LastModifiedTime>soon</LastModifiedTime></Object></Delete>",
        "<Delete><Object><Key>é</Key></Object></Delete>".encode("latin-1"),
        f"<Delete>{KEY}</Delete>".encode("utf-16"),
        b"<Delete><Object><Key>\x01</Key></Object></Delete>",
        f"<x:Delete>{KEY}</x:Delete>".encode(),
        f"<Delete>{KEY}</Delete><Delete/>".encode(),
    ],
)
def test_a_document_beside_its_schema_is_malformed(document: bytes) -> None:
    """Anything that is not exactly what the schema says is MalformedXML."""
    assert refused("DeleteObjects", document) == "MalformedXML"


@pytest.mark.parametrize(
    ("name", "document"),
    [
        (
            "PutBucketVersioning",
            "<VersioningConfiguration><Status>On</Status></VersioningConfiguration>",
        ),
        ("PutObjectLegalHold", "<LegalHold><Status>on</Status></LegalHold>"),
        (
            "PutBucketAccelerateConfiguration",
            "<AccelerateConfiguration><Status>enabled</Status></AccelerateConfiguration>",
        ),
        (
            "PutBucketEncryption",
            (
                "<ServerSideEncryptionConfiguration><Rule><BucketKeyEnabled>yes</BucketKeyEnabled>"
                "</Rule></ServerSideEncryptionConfiguration>"
            ),
        ),
        ("PutBucketLifecycleConfiguration", "<LifecycleConfiguration/>"),
        ("PutBucketTagging", "<Tagging><TagSet><Tag/></TagSet></Tagging>"),
    ],
)
def test_a_value_outside_of_its_type_is_malformed(name: str, document: str) -> None:
    """Enumerations, booleans and required members are part of the schema."""
    assert refused(name, document) == "MalformedXML"


def test_quiet_may_say_anything() -> None:
    """S3 reads <Quiet> leniently, and what is not true is false."""
    assert read("DeleteObjects", f"<Delete>{KEY}<Quiet>maybe</Quiet></Delete>")["Quiet"] is False


@pytest.mark.parametrize(
    "doctype",
    [
        "<!DOCTYPE Delete>",
        '<!DOCTYPE Delete [<!ENTITY a "b">]>',
        '<!DOCTYPE Delete SYSTEM "file:///etc/passwd">',
        '<!DOCTYPE Delete [<!ENTITY a SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE Delete [<!ENTITY % p SYSTEM "http://localhost/x"> %p;]>',
    ],
)
def test_a_document_type_is_refused(doctype: str) -> None:
    """No DTD is ever read, so no entity can be defined, fetched or multiplied."""
    assert refused("DeleteObjects", f"{doctype}<Delete>{KEY}</Delete>") == "MalformedXML"
    entity = "<Delete><Object><Key>&a;</Key></Object></Delete>"
    assert refused("DeleteObjects", doctype + entity) == "MalformedXML"


def test_a_deep_document_is_refused_at_its_first_foreign_level() -> None:
    """Depth is bounded by the schema: a million nested elements cost nothing."""
    assert refused("DeleteObjects", b"<Delete>" + b"<Object>" * 1_000_000) == "MalformedXML"


def test_a_long_document_is_refused() -> None:
    """A document over the bound is not even parsed."""
    document = b"<Delete>" + b" " * DOCUMENT_BYTES_MAX
    assert refused("DeleteObjects", document) == "MaxMessageLengthExceeded"


def test_a_tag_has_a_longest_length() -> None:
    """Attributes without an end are refused as they come; long text and many tags are read."""
    attributes = " ".join(f"a{number}='x'" for number in range(20_000))
    tag = f"<Object><Key {attributes}>k</Key></Object>"
    assert refused("DeleteObjects", f"<Delete>{tag}</Delete>") == "MalformedXML"
    attributes = attributes[: STEP_BYTES // 2].rpartition(" ")[0]
    tag = f"<Object><Key {attributes}>{'é' * STEP_BYTES}</Key></Object>"
    found = read("DeleteObjects", f"<Delete>{tag * 3}</Delete>")["Objects"]
    assert found == [{"Key": "é" * STEP_BYTES}] * 3


def test_a_list_has_a_longest_length() -> None:
    """10,000 items are read (an upload's parts), one more is not."""
    part = "<Part><PartNumber>1</PartNumber></Part>"
    whole = f"<CompleteMultipartUpload>{part * ITEMS_MAX}</CompleteMultipartUpload>"
    assert len(read("CompleteMultipartUpload", whole)["Parts"]) == ITEMS_MAX
    assert (
        refused("CompleteMultipartUpload", whole.replace("</C", part + "</C", 1)) == "MalformedXML"
    )


PIECES: Final = st.sampled_from(
    [
        *(
            "<Delete>",
            "</Delete>",
            "<Object>",
            "</Object>",
            "<Key>",
            "</Key>",
            "<Quiet/>",
            "a",
            "&lt;",
        ),
        *(
            "<!--",
            "-->",
            "<![CDATA[",
            "]]>",
            "<!DOCTYPE a>",
            "&a;",
            "&#0;",
            "&#x110000;",
            "<?x?>",
            "\x00",
        ),
        *('<Delete xmlns="a">', "<a:b>", "<Size>1</Size>", "\ud7ff", "<", ">", "<ETag>e</ETag>"),
    ]
)


@given(st.lists(PIECES, max_size=12).map("".join))
def test_no_pieces_of_xml_raise_anything_but_s3_errors(document: str) -> None:
    """Any sequence of tags, sections and references is read or refused, and never a crash."""
    try:
        read("DeleteObjects", document or " ")
    except S3Error:
        return
