"""An explanation says what the server then does: for random policies, callers and questions."""

from __future__ import annotations

import base64
import json
import random
import zlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import quote

import pytest

from tests.e2e.signing import Signer
from tests.e2e.wire import write_head

if TYPE_CHECKING:
    from pathlib import Path

    from botocore.client import BaseClient

    from tests.e2e.server import Server
    from tests.e2e.wire import Caller

pytestmark = pytest.mark.e2e

SETTINGS = {"default_public_access_block": "false"}
USERS: Final = ("Writer", "Reader", "SuperUser", None, None, "Writer")
OWNERS: Final = {"exp-plain": 0, "exp-ruled": 2, "exp-acl": 0, "exp-kept": 10}  # by key
BUCKETS: Final = tuple(OWNERS)
THERE: Final = {"in/a": "low", "in/b": "high", "out/c": "low", "d": ""}
OF_ANOTHER: Final = "in/of-another"  # where ACLs are on
LET_IN: Final = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": {
            "Effect": "Allow",
            "Principal": "*",
            "Action": ["s3:PutObject", "s3:PutObjectTagging"],
            "Resource": "arn:aws:s3:::exp-acl/*",
        },
    }
)
MISSING: Final = ("in/none", "out/none")
QUESTIONS: Final = 500
TAGGING: Final = b"<Tagging><TagSet><Tag><Key>level</Key><Value>%s</Value></Tag></TagSet></Tagging>"
# By action: method, query, and whether it is done to a key.
CALLS: Final = {
    "s3:GetObject": ("GET", "", True),
    "s3:GetObjectTagging": ("GET", "tagging", True),
    "s3:GetObjectAcl": ("GET", "acl", True),
    "s3:PutObjectTagging": ("PUT", "tagging", True),
    "s3:PutObject": ("PUT", "", True),
    "s3:DeleteObject": ("DELETE", "", True),
    "s3:ListBucket": ("GET", "list-type=2", False),
    "s3:ListBucketVersions": ("GET", "versions", False),
    "s3:GetBucketLocation": ("GET", "location", False),
    "s3:GetBucketPolicy": ("GET", "policy", False),
    "s3:GetBucketAcl": ("GET", "acl", False),
    "s3:GetBucketTagging": ("GET", "tagging", False),
}
PATTERNS: Final = ("s3:*", "s3:Get*", "s3:List*", "s3:*Tagging", *CALLS)
# Makes users with policies of their own and their keys, from a file.
MAKE: Final = """
import json
from buckets.services import create_bucket
from iam import services
made = []
for user in json.load(open({path!r})):
    row = services.create_user(user["name"], user["role"])
    for number, document in enumerate(user["policies"]):
        services.put_inline_policy(row, f"p{{number}}", document)
    for document in user["keys"]:
        key = services.create_key(row.pk, policy=document)
        arn = f"arn:aws:iam::{{row.account_id}}:user/{{row.username}}"
        made.append([key.access_key, key.secret_key, arn, row.canonical_id])
for bucket, number in {owners!r}.items():
    create_bucket(bucket, made[number][3])
print("ANSWER" + json.dumps(made))
"""
EXPLAIN: Final = """
import json
from buckets.explaining import explain_access
answers = []
for question in json.load(open({path!r})):
    found = explain_access(**question)
    answers.append([found.outcome.value, found.why])
print("ANSWER" + json.dumps(answers))
"""


def run(server: Server, code: str, path: Path, given: Any) -> Any:
    """Run code in a process of its own over the server's store, which reads `given`."""
    path.write_text(json.dumps(given), encoding="utf-8")
    done = server.manage("shell", "-c", code.format(path=str(path), owners=OWNERS))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.partition("ANSWER")[2])


# --- random policies -----------------------------------------------------------------------------


def condition(dice: random.Random) -> dict[str, Any]:
    """Draw a condition, or none."""
    drawn: dict[str, Any] = dice.choice(
        [
            *[{}] * 4,
            {"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}},
            {"NotIpAddress": {"aws:SourceIp": "127.0.0.0/8"}},
            {"StringLike": {"s3:prefix": "in/*"}},
            {"StringEquals": {"s3:ExistingObjectTag/level": "low"}},
            {"StringNotEquals": {"s3:ExistingObjectTag/level": "low"}},
            {"StringEquals": {"s3:RequestObjectTag/level": "low"}},
            {"StringEquals": {"aws:ResourceAccount": "${aws:PrincipalAccount}"}},
            {"StringEquals": {"aws:username": "exp-3"}},
            {"Bool": {"aws:SecureTransport": "true"}},
            {"Null": {"s3:prefix": "true"}},
        ]
    )
    return {"Condition": drawn} if drawn else {}


def statement(dice: random.Random, buckets: tuple[str, ...], deny: float) -> dict[str, Any]:
    """Draw a statement."""
    paths = ("", "/*", "/in/*", "/in/a", "/*none", "/${aws:username}/*")
    resources = sorted(
        {f"arn:aws:s3:::{dice.choice(buckets)}{dice.choice(paths)}" for _ in range(3)}
    )
    resources += [f"arn:aws:s3:::{dice.choice(buckets)}", f"arn:aws:s3:::{dice.choice(buckets)}/*"]
    actions = [*dice.sample(PATTERNS, dice.randint(1, 4)), "s3:Get*", "s3:List*"]
    if dice.random() < 0.1:
        actions = ["s3:*"]
    effect = "Deny" if dice.random() < deny else "Allow"
    if effect == "Deny":
        actions, resources = actions[:1], resources[:1]
        actions = ["s3:*"] if resources[0].count("/") == 0 else actions
    element = "NotResource" if dice.random() < 0.1 else "Resource"
    return {"Effect": effect, "Action": actions, element: resources} | condition(dice)


def document(dice: random.Random, buckets: tuple[str, ...], deny: float = 0.3) -> str:
    """Draw a policy of a user or key."""
    count = dice.randint(1, 3)
    statements = [statement(dice, buckets, deny) for _ in range(count)]
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def bucket_policy(dice: random.Random, bucket: str, arns: list[str]) -> str:
    """Draw a policy of a bucket; what it denies it denies users by name."""
    statements = []
    for _ in range(3):
        made = statement(dice, (bucket,), 0.4)
        made["Resource"] = made.pop("NotResource", made.get("Resource"))
        made["Action"] = ["s3:*"]
        made["Principal"] = dice.choice(["*", {"AWS": dice.sample(arns, 2)}])
        statements.append(made)
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


# --- the world -----------------------------------------------------------------------------------


class World(NamedTuple):
    """Keys (one without a policy and one with, for each user) in a store with buckets."""

    server: Server
    keys: list[list[str]]
    dice: random.Random
    path: Path


@pytest.fixture(scope="module")
def world(server: Server, s3: BaseClient, tmp_path_factory: pytest.TempPathFactory) -> World:
    """Make users, keys, buckets, objects and policies, all by chance."""
    dice = random.Random(0x5334)  # noqa: S311  # the same world each time
    path = tmp_path_factory.mktemp("given") / "given.json"
    users = [
        {
            "name": f"exp-{number}",
            "role": role,
            "policies": [document(dice, BUCKETS) for _ in range(dice.randint(0, 2))],
            "keys": ["", document(dice, BUCKETS, 0.1)],
        }
        for number, role in enumerate(USERS)
    ]
    keys = run(server, MAKE, path, users)
    for bucket in BUCKETS:
        for key, level in THERE.items():
            tagging = {"Tagging": f"level={level}"} if level else {}
            s3.put_object(Bucket=bucket, Key=key, Body=b"", **tagging)
    s3.put_bucket_ownership_controls(
        Bucket="exp-acl", OwnershipControls={"Rules": [{"ObjectOwnership": "ObjectWriter"}]}
    )
    s3.put_bucket_acl(Bucket="exp-acl", ACL="public-read-write")
    s3.put_object_acl(Bucket="exp-acl", Key="in/a", ACL="public-read")
    writer = server.client(aws_access_key_id=keys[2][0], aws_secret_access_key=keys[2][1])
    s3.put_bucket_policy(Bucket="exp-acl", Policy=LET_IN)
    writer.put_object(Bucket="exp-acl", Key=OF_ANOTHER, Body=b"", Tagging="level=low")
    writer.close()
    arns = sorted({key[2] for key in keys})
    for bucket in BUCKETS[1:]:
        s3.put_bucket_policy(Bucket=bucket, Policy=bucket_policy(dice, bucket, arns))
    s3.put_public_access_block(
        Bucket="exp-kept", PublicAccessBlockConfiguration={"RestrictPublicBuckets": True}
    )
    return World(server, keys, dice, path)


def draw(world: World, number: int) -> tuple[dict[str, Any], list[str] | None, str, str]:
    """Draw a question, who asks it, and the request that asks the server: its path and query."""
    dice = world.dice
    action = dice.choice(list(CALLS))
    _, query, has_key = CALLS[action]
    bucket = dice.choice(BUCKETS)
    key = dice.choice([*THERE, *MISSING, OF_ANOTHER]) if has_key else ""
    if action in {"s3:PutObject", "s3:DeleteObject"}:
        key = f"{dice.choice(['in', 'out', 'exp-3'])}/{number}"  # no other question is about it
    caller = None if dice.random() < 0.1 else dice.choice(world.keys)
    context = {"aws:SourceIp": "127.0.0.1", "aws:SecureTransport": "false"}
    if action == "s3:PutObjectTagging":
        key = "in/a" if key == "d" else key  # each keeps what it has: others are asked after
        context["s3:RequestObjectTag/level"] = THERE.get(key, "low")
    if action.startswith("s3:List") and dice.random() < 0.7:
        prefix = dice.choice(["in/", "out/", ""])
        context["s3:prefix"] = prefix
        query += f"&prefix={quote(prefix, safe='')}"
    question = {
        "action": action,
        "resource": f"{bucket}/{key}" if has_key else bucket,
        "access_key": None if caller is None else caller[0],
        "context": context,
    }
    path = f"/{bucket}/{key}" if has_key else f"/{bucket}"
    return question, caller, path, query


def ask(world: World, caller: list[str] | None, question: Any, path: str, query: str) -> int:
    """Send the request; answer its status."""
    method = CALLS[question["action"]][0]
    target = f"{path}?{query}" if query else path
    body = b""
    if question["action"] == "s3:PutObjectTagging":
        body = TAGGING % question["context"]["s3:RequestObjectTag/level"].encode()
    to: Caller = world.server.caller
    headers = {"x-amz-checksum-crc32": _crc(body)} if body else {}
    if caller is not None:
        to = replace(to, signer=Signer(caller[0], caller[1]))
        return to.ask(method, target, body, headers).status
    with to.connect() as connection:
        lines = {"host": to.host, **headers}
        length = len(body) if method == "PUT" else None
        connection.send(write_head(method, target, lines, length) + body)
        return connection.reply(method).status


def _crc(body: bytes) -> str:
    return base64.b64encode(zlib.crc32(body).to_bytes(4)).decode()


def test_an_explanation_says_what_the_server_does(world: World) -> None:
    """Of five hundred questions by chance, the server refuses those that are said to be denied."""
    drawn = [draw(world, number) for number in range(QUESTIONS)]
    told = run(world.server, EXPLAIN, world.path, [question for question, *_ in drawn])
    wrong: list[Any] = []
    outcomes: list[str] = []
    for (question, caller, path, query), (outcome, why) in zip(drawn, told, strict=True):
        status = ask(world, caller, question, path, query)
        assert status < 500
        assert status != 400, (question, status)
        outcomes.append(outcome)
        if (outcome == "denied") is not (status in {403, 405}):
            wrong.append((question, caller, status, outcome, why))
    assert not wrong, "\n".join(map(str, wrong[:5]))
    assert 0.2 < outcomes.count("denied") / QUESTIONS < 0.8, "the questions tell something"
