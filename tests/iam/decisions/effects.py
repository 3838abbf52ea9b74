"""Effects and their precedence: who may speak, and whose word counts."""

from __future__ import annotations

from tests.iam.decisions.cases import (
    ALLOW,
    EXPLICIT,
    IAM,
    IMPLICIT,
    Case,
    allow,
    deny,
    document,
)

LOGIC = IAM + "reference_policies_evaluation-logic.html"
SESSION = IAM + "access_policies.html#policies_session"
EFFECT = IAM + "reference_policies_elements_effect.html"

# What each side says of an action: nothing, allow, deny; of a key also that it has no policy.
IDENTITY = {"-": None, "A": document(allow()), "D": document(deny()), "AD": document(allow(), deny())}
BUCKET = {
    "-": None,
    "A": document(allow(Principal="*")),
    "D": document(deny(Principal="*")),
    "AD": document(allow(Principal="*"), deny(Principal="*")),
}
KEY = IDENTITY | {".": None, "-": document(allow("s3:PutObject"))}

# identity, bucket, key -> what comes of it: "Determining whether a request is allowed or denied
# within an account" of LOGIC, and the figures of SESSION for a key that has a policy.
COMBINED = """
-  -  .  implicit
-  A  .  allow
-  D  .  explicit
-  AD .  explicit
A  -  .  allow
A  A  .  allow
A  D  .  explicit
A  AD .  explicit
D  -  .  explicit
D  A  .  explicit
D  D  .  explicit
D  AD .  explicit
AD -  .  explicit
AD A  .  explicit
AD D  .  explicit
AD AD .  explicit
-  -  -  implicit
-  A  -  implicit
-  D  -  explicit
A  -  -  implicit
A  A  -  implicit
A  D  -  explicit
D  -  -  explicit
D  A  -  explicit
D  D  -  explicit
-  -  A  implicit
-  A  A  allow
-  D  A  explicit
A  -  A  allow
A  A  A  allow
A  D  A  explicit
D  -  A  explicit
D  A  A  explicit
D  D  A  explicit
-  -  D  explicit
-  A  D  explicit
-  D  D  explicit
A  -  D  explicit
A  A  D  explicit
A  D  D  explicit
D  -  D  explicit
D  A  D  explicit
D  D  D  explicit
"""
OUTCOMES = {"allow": ALLOW, "implicit": IMPLICIT, "explicit": EXPLICIT}


def _combined(line: str) -> Case:
    identity, bucket, key, outcome = line.split()
    own = IDENTITY[identity]
    return Case(
        f"identity {identity}, bucket {bucket}, key {key}",
        LOGIC if key == "." else SESSION,
        OUTCOMES[outcome],
        identity=() if own is None else (own,),
        bucket=BUCKET[bucket],
        key=KEY[key],
    )


ALLOWING, DENYING = document(allow()), document(deny())
# where an allow and a deny stand -> what comes of it; policies of a user, of his groups, of his
# role count alike: access_policies.html, "Identity-based policies".
PLACES = [
    ("a group's policy allows", ALLOW, {"groups": (ALLOWING,)}),
    ("a role's policy allows", ALLOW, {"role": (ALLOWING,)}),
    ("the user's own allows", ALLOW, {"identity": (ALLOWING,)}),
    ("a second policy allows", ALLOW, {"identity": (document(allow("s3:PutObject")), ALLOWING)}),
    ("a second group allows", ALLOW, {"groups": (document(allow("s3:PutObject")), ALLOWING)}),
    ("two policies allow", ALLOW, {"identity": (ALLOWING, ALLOWING)}),
    ("the user's denies what his group's allows", EXPLICIT, {"identity": (DENYING,), "groups": (ALLOWING,)}),
    ("a group's denies what the user's allows", EXPLICIT, {"identity": (ALLOWING,), "groups": (DENYING,)}),
    ("a group's denies what another group's allows", EXPLICIT, {"groups": (ALLOWING, DENYING)}),
    ("a role's denies what the user's allows", EXPLICIT, {"identity": (ALLOWING,), "role": (DENYING,)}),
    ("the user's denies what his role's allows", EXPLICIT, {"identity": (DENYING,), "role": (ALLOWING,)}),
    ("a group's denies what the role's allows", EXPLICIT, {"groups": (DENYING,), "role": (ALLOWING,)}),
    ("a role's denies what the bucket's allows", EXPLICIT, {"role": (DENYING,), "bucket": BUCKET["A"]}),
    ("a group's denies what the bucket's allows", EXPLICIT, {"groups": (DENYING,), "bucket": BUCKET["A"]}),
    ("the bucket's denies what the role's allows", EXPLICIT, {"role": (ALLOWING,), "bucket": BUCKET["D"]}),
    ("the bucket's denies what the group's allows", EXPLICIT, {"groups": (ALLOWING,), "bucket": BUCKET["D"]}),
    ("the deny stands first", EXPLICIT, {"identity": (DENYING, ALLOWING)}),
    ("the deny stands last", EXPLICIT, {"identity": (ALLOWING, DENYING)}),
    ("the deny stands first in one policy", EXPLICIT, {"identity": (document(deny(), allow()),)}),
    ("the deny is narrower than the allow", EXPLICIT, {"identity": (document(allow("s3:*", "*"), deny("s3:GetObject", "photos/a/b.jpg")),)}),
    ("the deny is wider than the allow", EXPLICIT, {"identity": (document(allow("s3:GetObject", "photos/a/b.jpg"), deny("*", "*")),)}),
    ("the deny is about another action", ALLOW, {"identity": (document(allow(), deny("s3:PutObject")),)}),
    ("the deny is about another object", ALLOW, {"identity": (document(allow(), deny("s3:GetObject", "photos/b/*")),)}),
    ("the deny's condition does not hold", ALLOW, {"identity": (document(allow(), deny(Condition={"Bool": {"aws:SecureTransport": "false"}})),), "context": {"aws:SecureTransport": "true"}}),
    ("the deny's condition holds", EXPLICIT, {"identity": (document(allow(), deny(Condition={"Bool": {"aws:SecureTransport": "false"}})),), "context": {"aws:SecureTransport": "false"}}),
    ("nobody says anything", IMPLICIT, {}),
    ("policies speak of something else", IMPLICIT, {"identity": (document(allow("s3:PutObject")),), "groups": (document(allow("s3:ListBucket", "photos")),), "bucket": document(allow("s3:DeleteObject", Principal="*"))}),
    ("nobody who signed is let in by the bucket", ALLOW, {"caller": None, "bucket": BUCKET["A"]}),
    ("nobody who signed is denied by the bucket", EXPLICIT, {"caller": None, "bucket": BUCKET["D"]}),
    ("nobody who signed has no policies", IMPLICIT, {"caller": None}),
    ("the owner is denied by his bucket's policy", EXPLICIT, {"caller": "ada", "identity": (ALLOWING,), "bucket": BUCKET["D"]}),
    ("the owner without policies has no right", IMPLICIT, {"caller": "ada"}),
    ("the owner is let in by the bucket's policy", ALLOW, {"caller": "ada", "bucket": BUCKET["A"]}),
    ("a key narrows the group's allow", IMPLICIT, {"groups": (ALLOWING,), "key": KEY["-"]}),
    ("a key narrows the role's allow", IMPLICIT, {"role": (ALLOWING,), "key": KEY["-"]}),
    ("a key that allows all takes nothing", ALLOW, {"role": (ALLOWING,), "key": document(allow("*", "*"))}),
    ("a key that allows all gives nothing", IMPLICIT, {"key": document(allow("*", "*"))}),
    ("a key's condition holds", ALLOW, {"role": (ALLOWING,), "key": document(allow(Condition={"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}})), "context": {"aws:SourceIp": "192.0.2.7"}}),
    ("a key's condition does not hold", IMPLICIT, {"role": (ALLOWING,), "key": document(allow(Condition={"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}})), "context": {"aws:SourceIp": "198.51.100.7"}}),
]

CASES = [
    *(_combined(line) for line in COMBINED.strip().splitlines()),
    *(Case(claim, LOGIC, expected, **more) for claim, expected, more in PLACES),
]
