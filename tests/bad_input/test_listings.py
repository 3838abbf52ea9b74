"""Parameters of listings that are out of bounds, by their exact words.

MEASURED: answers of S3 as recorded in github.com/brekkylab/backlot, tests/test_s3.py, with dates.
What has no such record follows its neighbours, and github.com/versity/versitygw's s3err.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.bad_input.asking import BUCKET, UPLOAD, Bad, check_all

if TYPE_CHECKING:
    import pytest

    from tests.fuzz.world import World

NO_INTEGER: Final = "Provided {} not an integer or within integer range"
OUT_OF_RANGE: Final = "Argument {} must be an integer between {} and {}"
INT32_MAX: Final = 2**31 - 1
UNREADABLE: Final = ["x", "1.5", "%2B1", "%201", "1_0", "2147483648", "-2147483649", "9" * 5000]
TOO_SMALL: Final = ["-1", "-01", "-2147483648"]
# Listing, its parameter, what the refusal of the range calls it, and its bounds: MEASURED but for
# the parts and the buckets.
NUMBERS: Final = [
    (f"{BUCKET}?max-keys=", "max-keys", "maxKeys", 0, INT32_MAX),
    (f"{BUCKET}?list-type=2&max-keys=", "max-keys", "maxKeys", 0, INT32_MAX),
    (f"{BUCKET}?versions&max-keys=", "max-keys", "maxKeys", 0, INT32_MAX),
    (f"{BUCKET}?uploads&max-uploads=", "max-uploads", "max-uploads", 0, INT32_MAX),
    (f"{UPLOAD}&max-parts=", "max-parts", "max-parts", 0, INT32_MAX),
    (f"{UPLOAD}&part-number-marker=", "part-number-marker", "part-number-marker", 0, INT32_MAX),
    ("/?max-buckets=", "max-buckets", "max-buckets", 1, 10_000),
]
TOKEN: Final = "The continuation token provided is incorrect"
ENCODING: Final = "Invalid Encoding Method specified in Request"
LISTINGS: Final = ["?", "?list-type=2&", "?versions&", "?uploads&"]
OTHERS: Final = [
    *[
        Bad("GET", f"{BUCKET}?list-type=2&continuation-token={token}", "InvalidArgument", TOKEN)
        for token in ("", "x", "!!!!", "a" * 200, "eDp6eg==")
    ],
    Bad("GET", "/?continuation-token=x", "InvalidArgument", TOKEN, argument="continuation-token"),
    *[
        Bad("GET", f"{BUCKET}{listing}encoding-type={value}", "InvalidArgument", ENCODING)
        for listing in LISTINGS
        for value in ("", "bogus")
    ],
    Bad(
        "GET",
        f"{BUCKET}?list-type=2&marker=x",
        "InvalidArgument",
        "Marker unsupported with REST.GET.BUCKET in list-type=2",
        argument="marker",
    ),
    Bad(
        "GET",
        f"{BUCKET}?start-after=x",
        "InvalidArgument",
        "startAfter only supported in REST.GET.BUCKET with list-type=2",
        argument="start-after",
    ),
    Bad(
        "GET",
        f"{BUCKET}?continuation-token=x",
        "InvalidArgument",
        "continuation-token only supported in REST.GET.BUCKET with list-type=2",
        argument="continuation-token",
    ),
    *[
        Bad(
            "GET",
            f"{BUCKET}?uploads&key-marker=abc&upload-id-marker={marker}",
            "InvalidArgument",
            "Invalid uploadId marker",
            argument="upload-id-marker",
        )
        for marker in ("xyz", "0" * 31, "G" * 32)
    ],
    Bad("GET", f"{BUCKET}?prefix=%ff", "InvalidURI"),
    Bad("GET", f"{BUCKET}?prefix=%zz", "InvalidURI"),
]


def test_a_number_that_is_none_is_refused(world: World, subtests: pytest.Subtests) -> None:
    """What is no integer of 32 bits is told apart from one that is out of range."""
    requests = [
        Bad("GET", place + value, "InvalidArgument", NO_INTEGER.format(name), argument=name)
        for place, name, *_ in NUMBERS
        for value in UNREADABLE
    ]
    check_all(world, subtests, requests)


def test_a_number_out_of_range_is_refused(world: World, subtests: pytest.Subtests) -> None:
    """Negative page sizes are refused with the range that holds, under the name S3 has for it."""
    requests = [
        Bad(
            "GET",
            place + value,
            "InvalidArgument",
            OUT_OF_RANGE.format(wire, least, greatest),
            argument=wire,
        )
        for place, _, wire, least, greatest in NUMBERS
        for value in [*TOO_SMALL, *(["0", "10001"] if least else [])]
    ]
    check_all(world, subtests, requests)


def test_what_a_listing_does_not_know_is_refused(world: World, subtests: pytest.Subtests) -> None:
    """Tokens, markers and encodings that are not S3's are refused in its words."""
    check_all(world, subtests, OTHERS)


def test_a_number_is_judged_by_its_value(world: World) -> None:
    """Leading zeros and `-0` are as good as none, and no value at all is the default: MEASURED."""
    for value, shown in (("05", "5"), ("-0", "0"), ("0" * 5000, "0"), ("", "1000")):
        reply = Bad("GET", f"{BUCKET}?uploads&max-uploads={value}", "").send(world)
        assert f"<MaxUploads>{shown}</MaxUploads>".encode() in reply.body


def test_what_was_asked_is_told_as_it_was(world: World) -> None:
    """A page size above what a page may have, and the spelling of an encoding: MEASURED."""
    for listing in ("?", "?list-type=2&", "?versions&"):
        reply = Bad("GET", f"{BUCKET}{listing}max-keys=1001&encoding-type=URL", "").send(world)
        assert b"<MaxKeys>1001</MaxKeys>" in reply.body
        assert b"<EncodingType>URL</EncodingType>" in reply.body
    reply = Bad("GET", f"{BUCKET}?uploads&max-uploads=1001", "").send(world)
    assert b"<MaxUploads>1000</MaxUploads>" in reply.body


def test_the_first_of_a_repeated_parameter_counts(world: World) -> None:
    """A parameter that is sent twice is read once, as S3 does: MEASURED."""
    good = Bad("GET", f"{BUCKET}?list-type=2&max-keys=1&max-keys=x", "").send(world)
    assert (good.status, good.body.count(b"<Contents>")) == (200, 1)
    bad = Bad("GET", f"{BUCKET}?list-type=2&max-keys=x&max-keys=1", "").send(world)
    assert bad.code == "InvalidArgument"


def test_a_misplaced_parameter_is_named_without_its_value(world: World) -> None:
    """The parameters of the other listing are refused by name alone: MEASURED."""
    for query in ("list-type=2&marker=x", "start-after=x", "continuation-token=x"):
        reply = Bad("GET", f"{BUCKET}?{query}", "").send(world)
        assert b"<ArgumentName>" in reply.body
        assert b"<ArgumentValue>" not in reply.body
