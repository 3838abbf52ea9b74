"""The checksum of a multipart object: of which kind, from which parts', and against which claims.

COMPOSITE is the checksum of the parts' checksums, FULL_OBJECT that of all bytes, which only CRCs
can be combined to. Refusals, their order and words are those of S3 itself, as recorded in
github.com/localstack/localstack, tests/aws/services/s3/test_s3.snapshot.json.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from s3api import checksums
from s3api.errors import S3Error
from s3api.http.checksum_headers import value_header
from s3api.operations.ingest import DEFAULT_ALGORITHM

if TYPE_CHECKING:
    from collections.abc import Sequence

    from s3api.context import Call
    from s3api.http.checksum_headers import ExpectedChecksum
    from storage_engine import ObjectAttributes, PartInfo

FULL_OBJECT: Final = "FULL_OBJECT"
COMPOSITE: Final = "COMPOSITE"
ONLY_FULL: Final = "CRC64NVME"  # never COMPOSITE


def checksum_type(algorithm: str | None, wanted: str | None) -> str:
    """Decide COMPOSITE or FULL_OBJECT for an upload, and refuse the pairs that S3 refuses."""
    if algorithm is None:
        if wanted is not None:
            raise S3Error(
                "InvalidRequest",
                "The x-amz-checksum-type header can only be used with the "
                "x-amz-checksum-algorithm header.",
            )
        return FULL_OBJECT
    chosen = wanted or (FULL_OBJECT if algorithm == ONLY_FULL else COMPOSITE)
    is_possible = (
        checksums.can_combine(algorithm) if chosen == FULL_OBJECT else algorithm != ONLY_FULL
    )
    if not is_possible:
        raise S3Error(
            "InvalidRequest",
            f"The {chosen} checksum type cannot be used with the {algorithm.lower()} checksum "
            "algorithm.",
        )
    return chosen


def check_part_algorithm(upload: ObjectAttributes, sent: ExpectedChecksum | None) -> None:
    """Refuse a part with another checksum than its upload's, or without the one it needs."""
    declared = upload.checksum_algorithm
    if not declared or (sent is None and upload.checksum_type == FULL_OBJECT):
        return
    if sent is None or sent.algorithm != declared:
        actual = sent.algorithm.lower() if sent is not None else "null"
        raise S3Error(
            "InvalidRequest",
            f"Checksum Type mismatch occurred, expected checksum Type: {declared.lower()}, "
            f"actual checksum Type: {actual}",
        )


def check_completion_type(upload: ObjectAttributes, wanted: str | None) -> None:
    """Refuse a completion that names another checksum type than the upload has."""
    held = upload.checksum_type if upload.checksum_algorithm else "null"
    if wanted is not None and wanted != held:
        raise S3Error(
            "InvalidRequest",
            f"The upload was created using the {held} checksum mode. The complete request "
            "must use the same checksum mode.",
        )


def cites(upload: ObjectAttributes, entry: dict[str, Any], part: PartInfo) -> bool:
    """Tell whether the checksum in a completion's entry is that of the part it names.

    Raises S3Error: InvalidArgument (several, malformed), BadDigest (of another algorithm),
    InvalidRequest (none, where the upload needs it).
    """
    cited = [
        (name, entry[f"Checksum{name}"])
        for name in checksums.ALGORITHMS
        if entry.get(f"Checksum{name}")
    ]
    if len(cited) > 1:
        raise _bad_citation("".join(f"{name}:{value};" for name, value in cited))
    declared = upload.checksum_algorithm
    if not cited:
        if declared and upload.checksum_type == COMPOSITE:
            raise S3Error(
                "InvalidRequest",
                f"The upload was created using a {declared.lower()} checksum. The complete request "
                "must include the checksum for each part. It was missing for part "
                f"{part.number} in the request.",
            )
        return True
    algorithm, value = cited[0]
    if not declared:
        return False  # no part of this upload has a checksum that could be cited
    if not checksums.is_well_formed(algorithm, value):
        raise _bad_citation(value)
    if algorithm != declared:
        raise S3Error(
            "BadDigest",
            f"The {algorithm.lower()} you specified for part {part.number} did not match what we "
            "received.",
        )
    return bool(part.checksums[declared] == value)


def _bad_citation(value: str) -> S3Error:
    return S3Error(
        "InvalidArgument",
        "Invalid Base64 or multiple checksums present in request",
        ArgumentName="Checksum",
        ArgumentValue=value,
    )


def object_checksums(upload: ObjectAttributes, parts: Sequence[PartInfo]) -> dict[str, str]:
    """Compute the checksum of a completed object from its parts'."""
    name = upload.checksum_algorithm or DEFAULT_ALGORITHM
    values = [part.checksums[name] for part in parts]
    if upload.checksum_type == COMPOSITE:
        return {name: checksums.composite(name, values)}
    sizes = [part.size for part in parts]
    return {name: checksums.combine_full(name, zip(values, sizes, strict=True))}


def check_object_checksum(call: Call, upload: ObjectAttributes, sums: dict[str, str]) -> None:
    """Compare with the checksum of the whole object, where the client gives it.

    A COMPOSITE one may come without its `-N`. Without an algorithm at the upload's beginning S3
    checks the form of the value alone.
    """
    sent = value_header(call.request)
    if sent is None:
        return
    algorithm, value = sent
    digest, dash, count = value.partition("-")
    is_count = count.isascii() and count.isdigit() and algorithm != ONLY_FULL
    if not checksums.is_well_formed(algorithm, digest) or (dash and not is_count):
        name = checksums.header_name(algorithm)
        raise S3Error("InvalidRequest", f"Value for {name} header is invalid.")
    declared = upload.checksum_algorithm
    if not declared:
        return
    if upload.checksum_type == COMPOSITE and not dash:
        value += sums[declared][sums[declared].index("-") :]
    if algorithm != declared or value != sums[declared]:
        raise S3Error(
            "BadDigest",
            f"The {declared.lower()} you specified did not match the calculated checksum.",
        )
