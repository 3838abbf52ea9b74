"""A store as a small firm has it after some weeks: what the console's pages and pictures show.

Nothing in it is left to chance, so that a picture changes only when a page does.
"""

from __future__ import annotations

import http.client
import json
from typing import TYPE_CHECKING, Any, Final

from tests.e2e.content import content

if TYPE_CHECKING:
    from botocore.client import BaseClient

    from tests.e2e.server import Server

PASSWORD: Final = "correct horse battery"
KIB: Final = 1024
MIB: Final = 1024 * KIB
GIB: Final = 1024 * MIB
READ_PHOTOS: Final = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Sid": "ReadPhotos",
            "Effect": "Allow",
            "Action": ["s3:GetObject", "s3:ListBucket"],
            "Resource": ["arn:aws:s3:::photos", "arn:aws:s3:::photos/*"],
        }
    ],
}
OFFICE_ONLY: Final = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Sid": "FromTheOffice",
            "Effect": "Deny",
            "Action": "s3:*",
            "Resource": "*",
            "Condition": {"NotIpAddress": {"aws:SourceIp": "192.0.2.0/24"}},
        }
    ],
}
POLICIES: Final = {
    "read-photos": ("What the web shop shows.", READ_PHOTOS),
    "office-only": ("Nothing from elsewhere.", OFFICE_ONLY),
}
GROUPS: Final = {"design": "Pictures and films", "operations": "Who is called at night"}
# Name, role, groups, attached policies, keys.
USERS: Final = (
    ("ada", "Writer", "Ada Quill", ["design"], [], ["laptop", "camera import"]),
    ("grace", "SuperUser", "Grace Holt", ["operations"], ["office-only"], ["deploy"]),
    ("linus", "Reader", "Linus Berg", ["design"], ["read-photos"], []),
    ("backup", "Writer", "Nightly backup", ["operations"], [], ["restic"]),
    ("webshop", None, "Web shop", [], ["read-photos"], ["production", "staging"]),
)
PICTURES: Final = ("harbour", "lighthouse", "market", "meadow", "old bridge", "tram", "winter")
NOTES: Final = "# Notes\n\nPictures of 2026, as they came from the camera.\n"
PRICES: Final = "article,price,in stock\nprint A3,24.00,yes\nprint A2,39.00,yes\nframe,18.50,no\n"
RULES: Final = {
    "rules": [
        {"id": "old-logs", "prefix": "logs/", "expire_days": 30},
        {"id": "unfinished", "abort_days": 7},
    ]
}


class Api:
    """The REST API for the root user."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.token = ""
        root = {"username": "root", "password": server.settings["root_password"]}
        self.token = self("POST", "login", root)["token"]

    def __call__(self, method: str, path: str, body: Any = None) -> Any:
        """Make a call that must succeed."""
        connection = http.client.HTTPConnection("127.0.0.1", self.server.console_port, timeout=60)
        headers = {"Content-Type": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        connection.request(method, f"/api/admin/{path}", json.dumps(body), headers)
        with connection.getresponse() as reply:
            text = reply.read()
            assert reply.status < 300, f"{method} {path}: {reply.status} {text!r}"
        connection.close()
        return json.loads(text) if text else None


def picture(name: str) -> bytes:
    """Draw a picture: an SVG, which is small, and looks like one when it is shown."""
    first, second, third = content(name, 3)
    sky, sun, hill = (
        f"hsl({value * 360 // 256} 60% {light}%)"
        for value, light in ((first, 70), (second, 80), (third, 35))
    )
    hills = f"M0 160 Q80 {90 + first // 8} 160 150 T320 {120 + second // 8} V200 H0Z"
    parts = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 320 200" width="640" height="400">',
        f'<rect width="320" height="200" fill="{sky}"/>',
        f'<circle cx="240" cy="60" r="26" fill="{sun}"/><path d="{hills}" fill="{hill}"/></svg>',
    )
    return "".join(parts).encode()


def furnish(server: Server, s3: BaseClient) -> None:
    """Fill a new store."""
    api = Api(server)
    _furnish_people(api)
    _furnish_buckets(s3)
    _furnish_objects(s3)
    api("PUT", "buckets/logs/lifecycle", RULES)
    api("PUT", "buckets/photos/quota", {"bytes": 8 * MIB, "objects": 5000})
    api("PUT", "buckets/press/quota", {"bytes": 20 * GIB})


def _furnish_people(api: Api) -> None:
    for name, (description, document) in POLICIES.items():
        api("POST", "policies", {"name": name, "description": description, "document": document})
    for name, description in GROUPS.items():
        api("POST", "groups", {"name": name, "description": description})
    auditor = {"name": "Auditor", "description": "Looks at everything.", "includes": ["Reader"]}
    api("POST", "roles", auditor)
    for username, role, shown, groups, policies, keys in USERS:
        user = {"username": username, "role": role, "display_name": shown, "password": PASSWORD}
        made = api("POST", "users", user | {"groups": groups, "policies": policies})
        for key in keys:
            api("POST", f"users/{made['id']}/keys", {"name": key})
    linus = api("GET", "users?search=linus")["users"][0]["id"]
    api("PUT", f"users/{linus}/policies/no-drafts", {"document": OFFICE_ONLY})


def _furnish_buckets(s3: BaseClient) -> None:
    for name in ("photos", "press", "logs", "website"):
        s3.create_bucket(Bucket=name)
    s3.create_bucket(Bucket="ledger", ObjectLockEnabledForBucket=True)
    kept = {"Mode": "GOVERNANCE", "Days": 30}
    lock = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": kept}}
    s3.put_object_lock_configuration(Bucket="ledger", ObjectLockConfiguration=lock)
    versioning = {"Status": "Enabled"}
    s3.put_bucket_versioning(Bucket="photos", VersioningConfiguration=versioning)
    tags = {"TagSet": [{"Key": "team", "Value": "design"}, {"Key": "cost", "Value": "4711"}]}
    s3.put_bucket_tagging(Bucket="photos", Tagging=tags)


def _furnish_objects(s3: BaseClient) -> None:
    for year in (2025, 2026):
        for name in PICTURES:
            key, tags = f"{year}/{name}.svg", f"year={year}&kind=landscape"
            s3.put_object(
                Bucket="photos",
                Key=key,
                Body=picture(f"{year}{name}"),
                ContentType="image/svg+xml",
                Metadata={"camera": "X100"},
                Tagging=tags,
            )
    for key, text, kind in (
        ("notes.md", NOTES, "text/markdown"),
        ("prices.csv", PRICES, "text/csv"),
        (
            "shop.json",
            json.dumps({"name": "Prints", "open": True, "currency": "EUR"}),
            "application/json",
        ),
    ):
        s3.put_object(Bucket="photos", Key=key, Body=text.encode(), ContentType=kind)
    for number in range(3):
        s3.put_object(
            Bucket="photos",
            Key="cover.svg",
            Body=picture(f"cover {number}"),
            ContentType="image/svg+xml",
        )
    s3.delete_object(Bucket="photos", Key="2025/tram.svg")
    s3.put_object(Bucket="photos", Key="raw/harbour.raw", Body=content("raw", 7 * MIB))
    for day in range(1, 29):
        s3.put_object(
            Bucket="logs", Key=f"logs/2026-10-{day:02}.log", Body=content(f"log {day}", 9 * KIB)
        )
    s3.put_object(Bucket="ledger", Key="2026/invoices.pdf", Body=content("invoices", 80 * KIB))
    s3.create_multipart_upload(Bucket="press", Key="films/opening.mp4")
    s3.put_object(
        Bucket="website", Key="index.html", Body=b"<h1>Soon</h1>", ContentType="text/html"
    )
