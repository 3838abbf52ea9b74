"""Documents of a bucket's settings in JSON and XML: both ways, and what is refused with a place."""

from __future__ import annotations

from typing import Any

import pytest

from s4project.bucket_pages.documents import DocumentRefused, Kind

CORS = Kind("BucketCors", "CORSConfiguration")
TREES: list[tuple[Kind, dict[str, Any]]] = [
    (
        CORS,
        {
            "CORSRules": [
                {
                    "ID": '<&"> \u00e9',
                    "AllowedOrigins": ["https://a", "*"],
                    "AllowedMethods": ["GET"],
                    "MaxAgeSeconds": 3,
                }
            ]
        },
    ),
    (Kind("BucketTagging", "Tagging"), {"TagSet": [{"Key": "a", "Value": ""}]}),
    (
        Kind("BucketOwnershipControls", "OwnershipControls"),
        {"Rules": [{"ObjectOwnership": "ObjectWriter"}]},
    ),
    (Kind("PublicAccessBlock", "PublicAccessBlockConfiguration"), {"BlockPublicAcls": True}),
    (
        Kind("BucketAcl", "AccessControlPolicy"),
        {
            "Owner": {"ID": "a" * 64},
            "Grants": [
                {"Grantee": {"Type": "CanonicalUser", "ID": "a" * 64}, "Permission": "READ"}
            ],
        },
    ),
    (Kind("BucketVersioning", "VersioningConfiguration"), {"Status": "Enabled"}),
    (
        Kind("ObjectLockConfiguration", "ObjectLockConfiguration"),
        {
            "ObjectLockEnabled": "Enabled",
            "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 3}},
        },
    ),
    (
        Kind("BucketLifecycleConfiguration", "LifecycleConfiguration"),
        {
            "Rules": [
                {
                    "ID": "a",
                    "Status": "Enabled",
                    "Filter": {"Prefix": "x"},
                    "Expiration": {"Date": 1_893_456_000_000},
                }
            ]
        },
    ),
]
REFUSED = [
    ("{", "line 1, column 2"),
    ("", "line 1, column 1"),
    ("[]", "The document: an object"),
    ('{"CORSRules": 1}', "CORSRules: a list"),
    ('{"CORSRules": [1]}', "CORSRules[0]: an object"),
    ('{"CORSRules": [{"AllowedOrigins": ["*"]}]}', "CORSRules[0].AllowedMethods: it is missing"),
    ('{"CORSRules": [{"AllowedOrigin": []}]}', "CORSRules[0].AllowedOrigin: there is no such"),
    ('{"CORSRules": [{"AllowedOrigins": [1]}]}', "CORSRules[0].AllowedOrigins[0]: a text"),
    ('{"CORSRules": [{"MaxAgeSeconds": true}]}', "CORSRules[0].MaxAgeSeconds: a whole number"),
    ('{"CORSRules": [{"MaxAgeSeconds": 1e400}]}', "CORSRules[0].MaxAgeSeconds: a whole number"),
    ('{"CORSRules": [{"ID": "\\ud800"}]}', "CORSRules[0].ID: a text"),
    ('{"CORSRules": [], "CORSRules": []}', "CORSRules stands twice"),
    ("[NaN]", "NaN is no number"),
    ("[" * 100_000, "no JSON that can be read"),
    ("1" * 5_000, "no JSON that can be read"),
    (" " * 300_000, "At most 262,144 characters"),
    ("<a/>", "line 1, near <a>"),
    ("<CORSConfiguration>\n<CORSRule>\n<Foo/>", "line 3, near <Foo>"),
    ("<CORSConfiguration>\n<CORSRule>", "line 2, near <CORSRule>"),
    ('<!DOCTYPE a [<!ENTITY b "c">]><CORSConfiguration/>', "MalformedXML"),
]


@pytest.mark.parametrize(("kind", "tree"), TREES, ids=[kind.setting for kind, _ in TREES])
def test_a_document_is_the_same_in_both_forms(kind: Kind, tree: dict[str, Any]) -> None:
    """What is written as XML or as JSON is read again as it was."""
    assert kind.read(kind.xml(tree)) == tree
    assert kind.read(kind.json(tree)) == tree
    assert kind.read(f'{{"{kind.payload}": {kind.json(tree)}}}') == tree


@pytest.mark.parametrize(("text", "reason"), REFUSED, ids=[reason for _, reason in REFUSED])
def test_what_does_not_fit_is_refused_with_its_place(text: str, reason: str) -> None:
    """A text that is not the document is refused, and the refusal says where it is wrong."""
    with pytest.raises(DocumentRefused) as refused:
        CORS.read(text)
    assert reason in str(refused.value)


def test_what_xml_cannot_carry_is_shown_as_s3_writes_it() -> None:
    """A name with a control character is shown, though no XML may have it."""
    tree = {"TagSet": [{"Key": "a\x01", "Value": ""}]}
    assert "a&#x1;" in Kind("BucketTagging", "Tagging").xml(tree)
