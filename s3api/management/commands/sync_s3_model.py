"""Extract AWS's S3 model from the installed botocore into `protocol/s3.json`, without its prose.

Names, shapes and places are kept in botocore's own words, so that a reader can compare; texts,
client hints and shapes that no operation reaches are left out. Run by a developer when botocore is
moved to a newer version, never by the server.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError, CommandParser

MODEL_PATH: Final = Path(__file__).parents[2] / "protocol" / "s3.json"

# Botocore's words that say something of the wire; every other one is prose or a hint to clients.
SHAPE_WORDS: Final = (
    "type",
    "enum",
    "eventstream",
    "flattened",
    "locationName",
    "payload",
    "required",
    "timestampFormat",
    "xmlNamespace",
)
MEMBER_WORDS: Final = (
    "shape",
    "location",
    "locationName",
    "flattened",
    "streaming",
    "xmlAttribute",
)

Json = dict[str, Any]


def _pick(source: Json, words: tuple[str, ...]) -> Json:
    return {word: source[word] for word in words if word in source}


def _slim_shape(shape: Json) -> Json:
    slim = _pick(shape, SHAPE_WORDS)
    if "members" in shape:
        slim["members"] = {
            name: _pick(member, MEMBER_WORDS) for name, member in shape["members"].items()
        }
    if "member" in shape:
        slim["member"] = _pick(shape["member"], MEMBER_WORDS)
    return slim


def _slim_operation(operation: Json) -> Json:
    http = operation["http"]
    slim: Json = {"method": http["method"], "uri": http["requestUri"]}
    if "responseCode" in http:
        slim["status"] = http["responseCode"]
    if operation.get("deprecated"):
        slim["deprecated"] = True
    if operation.get("httpChecksum", {}).get("requestChecksumRequired"):
        slim["checksumRequired"] = True
    if "input" in operation:
        slim["input"] = operation["input"]["shape"]
        if "locationName" in operation["input"]:
            slim["inputRoot"] = operation["input"]["locationName"]
    if "output" in operation:
        slim["output"] = operation["output"]["shape"]
    return slim


def _reach(name: str, shapes: Json, reached: set[str]) -> None:
    """Add a shape and all that it is made of to `reached`."""
    if name in reached:
        return
    reached.add(name)
    shape = shapes[name]
    members = [*shape.get("members", {}).values(), *(shape[k] for k in ("member",) if k in shape)]
    for member in members:
        _reach(member["shape"], shapes, reached)


def extract(model: Json, version: str) -> Json:
    """Reduce botocore's S3 model to what is said on the wire; `version` is botocore's."""
    operations = {
        name: _slim_operation(operation) for name, operation in sorted(model["operations"].items())
    }
    reached: set[str] = set()
    for operation in operations.values():
        for side in ("input", "output"):
            if side in operation:
                _reach(operation[side], model["shapes"], reached)
    return {
        "source": f"botocore {version}, data/s3/2006-03-01/service-2.json, Apache-2.0, see NOTICE",
        "operations": operations,
        "shapes": {name: _slim_shape(model["shapes"][name]) for name in sorted(reached)},
    }


def extract_installed() -> str:
    """Extract from the installed botocore, as the text of `s3.json`."""
    try:
        import botocore  # noqa: PLC0415  # a developer's tool only
        from botocore.loaders import Loader  # noqa: PLC0415  # as above
    except ImportError as error:
        raise CommandError("botocore is missing: pip install 's4[dev]'") from error
    model = Loader().load_service_model("s3", "service-2")
    return json.dumps(extract(model, botocore.__version__), indent=1) + "\n"


class Command(BaseCommand):
    help = "Extract AWS's S3 model from the installed botocore into s3api/protocol/s3.json."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true", help="compare, and write nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        del args
        extracted = extract_installed()
        is_current = MODEL_PATH.exists() and MODEL_PATH.read_text(encoding="utf-8") == extracted
        if options["check"]:
            if not is_current:
                raise CommandError(f"{MODEL_PATH.name} differs from the installed botocore's model")
        elif not is_current:
            MODEL_PATH.write_text(extracted, encoding="utf-8")
        self.stdout.write(f"{MODEL_PATH.name} is current")
