"""What can be set on a bucket, over HTTP: each as one document that is read, put and taken off.

The operations of S3 do it, with their rules and their refusals. Where S3 has an error for what is
not configured, here stands what that means: no rules, no tags, nothing blocked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from rest_framework import serializers

from buckets.configuration import Ownership
from iam.acl import BUCKET_CANNED, GROUPS, Permission
from iam.api.fields import Document, Flag, Given, Line, Text, Whole
from iam.api.permissions import SignedIn
from iam.api.view import CONFLICT, MISSING, View, endpoint
from iam.documents import load_policy
from s3api.errors import S3Error
from s3api.operations.bucket_access import BLOCK_MEMBERS
from s3api.operations.cors import RULES_MAX
from s3api.operations.grants import CANNED_HEADER
from s4project.api.lifecycle import LifecycleForm, LifecycleRow, show_rules, write_rules
from s4project.api.object_lock import ObjectLockForm, ObjectLockRow, show_lock, write_lock
from s4project.api.s3 import known_buckets, perform

if TYPE_CHECKING:
    from collections.abc import Callable

    from rest_framework.request import Request

INT_MAX: Final = 2**31 - 1
GRANTS_MAX: Final = 100


# --- what each is --------------------------------------------------------------------------------


class VersioningForm(Given):
    """Whether versions are kept."""

    status = serializers.ChoiceField(["Enabled", "Suspended"])


class VersioningRow(serializers.Serializer[Any]):
    """Whether versions are kept; null: none was ever."""

    status = serializers.CharField(allow_null=True)


class BucketPolicyForm(Given):
    """The bucket's policy."""

    policy = Document(is_dense=True, help_text="AWS's JSON, with principals; at most 20 KB.")


class BucketPolicyRow(serializers.Serializer[Any]):
    """The bucket's policy, and whether it lets everybody in."""

    policy = Document(allow_null=True)
    is_public = serializers.BooleanField()


class CorsRuleForm(Given):
    """One rule of cross-origin access."""

    id = Line(required=False, max_length=255)
    allowed_origins = serializers.ListField(child=Line(max_length=2048), min_length=1)
    allowed_methods = serializers.ListField(child=Line(max_length=16), min_length=1)
    allowed_headers = serializers.ListField(child=Line(max_length=256), required=False)
    expose_headers = serializers.ListField(child=Line(max_length=256), required=False)
    max_age_seconds = Whole(required=False, min_value=0, max_value=INT_MAX)


class CorsForm(Given):
    """The rules of cross-origin access."""

    rules = serializers.ListField(child=CorsRuleForm(), min_length=1, max_length=RULES_MAX)


class CorsRuleRow(serializers.Serializer[Any]):
    """One rule of cross-origin access."""

    id = serializers.CharField(allow_null=True)
    allowed_origins = serializers.ListField(child=serializers.CharField())
    allowed_methods = serializers.ListField(child=serializers.CharField())
    allowed_headers = serializers.ListField(child=serializers.CharField())
    expose_headers = serializers.ListField(child=serializers.CharField())
    max_age_seconds = serializers.IntegerField(allow_null=True)


class CorsRow(serializers.Serializer[Any]):
    """The rules of cross-origin access."""

    rules = CorsRuleRow(many=True)


class TagsForm(Given):
    """The bucket's tags."""

    tags = serializers.DictField(child=Text(allow_blank=True), help_text="At most 50.")


class TagsRow(serializers.Serializer[Any]):
    """The bucket's tags."""

    tags = serializers.DictField(child=serializers.CharField())


class OwnershipForm(Given):
    """Who owns what others write."""

    ownership = serializers.ChoiceField([each.value for each in Ownership])


class OwnershipRow(serializers.Serializer[Any]):
    """Who owns what others write; null: no controls, as ObjectWriter."""

    ownership = serializers.CharField(allow_null=True)


class BlockForm(Given):
    """Which kinds of public access are blocked; what is not named is not."""

    block_public_acls = Flag(required=False, default=False)
    ignore_public_acls = Flag(required=False, default=False)
    block_public_policy = Flag(required=False, default=False)
    restrict_public_buckets = Flag(required=False, default=False)


class BlockRow(serializers.Serializer[Any]):
    """Which kinds of public access are blocked."""

    block_public_acls = serializers.BooleanField()
    ignore_public_acls = serializers.BooleanField()
    block_public_policy = serializers.BooleanField()
    restrict_public_buckets = serializers.BooleanField()


class GrantForm(Given):
    """A permission for a user or a group."""

    grantee = Line(
        max_length=1024, help_text="Canonical id, URI of a predefined group, or e-mail address."
    )
    permission = serializers.ChoiceField([each.value for each in Permission])


class AclForm(Given):
    """What is granted: by the name of a canned ACL, or grant by grant."""

    canned = serializers.ChoiceField(sorted(BUCKET_CANNED), required=False)
    grants = serializers.ListField(child=GrantForm(), required=False, max_length=GRANTS_MAX)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse both at once, and neither."""
        if len(attrs) != 1:
            raise serializers.ValidationError("Give either `canned` or `grants`.")
        return attrs


class GrantRow(serializers.Serializer[Any]):
    """A permission for a user or a group."""

    grantee = serializers.CharField()
    permission = serializers.CharField()


class AclRow(serializers.Serializer[Any]):
    """What is granted, to whom."""

    owner = serializers.CharField(help_text="Canonical id.")
    grants = GrantRow(many=True)


# --- how S3 says it ------------------------------------------------------------------------------


class Setting(NamedTuple):
    """One thing that can be set: its operations, how it is written for S3 and shown to people."""

    path: str  # the end of its address
    title: str
    operation: str  # Get..., Put..., Delete... and this
    form: type[Given]
    row: type[serializers.Serializer[Any]]
    write: Callable[[dict[str, Any]], dict[str, Any]]
    show: Callable[[dict[str, Any]], dict[str, Any]]
    nothing: dict[str, Any]  # what is shown where it is not configured
    missing: str = ""  # S3's code for that
    can_delete: bool = True
    deletion: str = ""  # the operation that takes it off, where it is another


RULE_MEMBERS: Final = {
    "ID": "id",
    "AllowedOrigins": "allowed_origins",
    "AllowedMethods": "allowed_methods",
    "AllowedHeaders": "allowed_headers",
    "ExposeHeaders": "expose_headers",
    "MaxAgeSeconds": "max_age_seconds",
}


def _renamed(row: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    """Answer a row's fields under other names, those it has."""
    return {name: row[field] for name, field in names.items() if field in row}


def _show_policy(output: dict[str, Any]) -> dict[str, Any]:
    return {"policy": output["Policy"], "is_public": load_policy(output["Policy"]).is_public}


def _write_cors(form: dict[str, Any]) -> dict[str, Any]:
    rules = [_renamed(rule, RULE_MEMBERS) for rule in form["rules"]]
    return {"CORSConfiguration": {"CORSRules": rules}}


def _show_cors(output: dict[str, Any]) -> dict[str, Any]:
    fields = {field: member for member, field in RULE_MEMBERS.items()}
    return {"rules": [_renamed(rule, fields) for rule in output["CORSRules"]]}


def _write_tags(form: dict[str, Any]) -> dict[str, Any]:
    pairs = [{"Key": key, "Value": value} for key, value in form["tags"].items()]
    return {"Tagging": {"TagSet": pairs}}


def _show_tags(output: dict[str, Any]) -> dict[str, Any]:
    return {"tags": {tag["Key"]: tag["Value"] for tag in output["TagSet"]}}


def _write_ownership(form: dict[str, Any]) -> dict[str, Any]:
    return {"OwnershipControls": {"Rules": [{"ObjectOwnership": form["ownership"]}]}}


def _show_ownership(output: dict[str, Any]) -> dict[str, Any]:
    return {"ownership": output["OwnershipControls"]["Rules"][0]["ObjectOwnership"]}


def _write_block(form: dict[str, Any]) -> dict[str, Any]:
    return {"PublicAccessBlockConfiguration": _renamed(form, BLOCK_MEMBERS)}


def _show_block(output: dict[str, Any]) -> dict[str, Any]:
    members = output["PublicAccessBlockConfiguration"]
    return {field: members[member] for member, field in BLOCK_MEMBERS.items()}


SETTINGS: Final = (
    Setting(
        "versioning",
        "whether versions are kept",
        "BucketVersioning",
        VersioningForm,
        VersioningRow,
        lambda form: {"VersioningConfiguration": {"Status": form["status"]}},
        lambda output: {"status": output["Status"]},
        {},
        can_delete=False,
    ),
    Setting(
        "policy",
        "the bucket's policy",
        "BucketPolicy",
        BucketPolicyForm,
        BucketPolicyRow,
        lambda form: {"Policy": form["policy"]},
        _show_policy,
        {"policy": None, "is_public": False},
        "NoSuchBucketPolicy",
    ),
    Setting(
        "cors",
        "the rules of cross-origin access",
        "BucketCors",
        CorsForm,
        CorsRow,
        _write_cors,
        _show_cors,
        {"rules": []},
        "NoSuchCORSConfiguration",
    ),
    Setting(
        "tags",
        "the tags",
        "BucketTagging",
        TagsForm,
        TagsRow,
        _write_tags,
        _show_tags,
        {"tags": {}},
        "NoSuchTagSet",
    ),
    Setting(
        "ownership",
        "who owns what others write",
        "BucketOwnershipControls",
        OwnershipForm,
        OwnershipRow,
        _write_ownership,
        _show_ownership,
        {"ownership": None},
        "OwnershipControlsNotFoundError",
    ),
    Setting(
        "public-access-block",
        "which kinds of public access are blocked",
        "PublicAccessBlock",
        BlockForm,
        BlockRow,
        _write_block,
        _show_block,
        dict.fromkeys(BLOCK_MEMBERS.values(), False),
        "NoSuchPublicAccessBlockConfiguration",
    ),
    Setting(
        "lifecycle",
        "the lifecycle rules",
        "BucketLifecycleConfiguration",
        LifecycleForm,
        LifecycleRow,
        write_rules,
        show_rules,
        {"rules": []},
        "NoSuchLifecycleConfiguration",
        deletion="DeleteBucketLifecycle",
    ),
    Setting(
        "object-lock",
        "whether versions can be locked, and how long new ones are",
        "ObjectLockConfiguration",
        ObjectLockForm,
        ObjectLockRow,
        write_lock,
        show_lock,
        {"is_enabled": False, "default_retention": None},
        "ObjectLockConfigurationNotFoundError",
        can_delete=False,
    ),
)


# --- the calls -----------------------------------------------------------------------------------


def address(setting: Setting) -> type[View]:
    """Make the address of a setting: it is read and put there, and taken off where it can be."""
    name = setting.path.replace("-", "_")

    def get(_view: View, request: Request, bucket: str) -> dict[str, Any]:
        try:
            return setting.show(perform(request, f"Get{setting.operation}", bucket))
        except S3Error as error:
            if error.code != setting.missing:
                raise
            return setting.nothing

    def put(_view: View, request: Request, bucket: str, body: dict[str, Any]) -> None:
        arguments = setting.write(body)
        perform(request, f"Put{setting.operation}", bucket, arguments=arguments)

    def delete(_view: View, request: Request, bucket: str) -> None:
        perform(request, setting.deletion or f"Delete{setting.operation}", bucket)

    get.__doc__ = f"Tell {setting.title}."
    put.__doc__ = f"Set {setting.title}, the whole of it in place of what was there."
    delete.__doc__ = f"Take off {setting.title}."
    refuses = MISSING | CONFLICT
    calls = {
        "get": endpoint(f"get_bucket_{name}", who=SignedIn, answer=setting.row, refuses=MISSING),
        "put": endpoint(f"put_bucket_{name}", who=SignedIn, body=setting.form, refuses=refuses),
        "delete": endpoint(f"delete_bucket_{name}", who=SignedIn, refuses=refuses),
    }
    methods: dict[str, Callable[..., Any]] = {"get": get, "put": put, "delete": delete}
    if not setting.can_delete:
        del methods["delete"]
    made = {method: calls[method](function) for method, function in methods.items()}
    return type(setting.operation, (View,), {"__doc__": setting.title, "tag": "Buckets", **made})


class BucketAcl(View):
    """What a bucket's ACL grants."""

    tag = "Buckets"

    @endpoint("get_bucket_acl", who=SignedIn, answer=AclRow, refuses=MISSING)
    def get(self, request: Request, bucket: str) -> dict[str, Any]:
        """Tell what the bucket's ACL grants."""
        output = perform(request, "GetBucketAcl", bucket)
        grants = [
            {"grantee": _name(row["Grantee"]), "permission": row["Permission"]}
            for row in output["Grants"]
        ]
        return {"owner": output["Owner"]["ID"], "grants": grants}

    @endpoint("put_bucket_acl", who=SignedIn, body=AclForm, refuses=MISSING | CONFLICT)
    def put(self, request: Request, bucket: str, body: dict[str, Any]) -> None:
        """Set the bucket's ACL, the whole of it; only where its ownership leaves ACLs on."""
        if "canned" in body:
            perform(request, "PutBucketAcl", bucket, headers={CANNED_HEADER: body["canned"]})
            return
        state = known_buckets().find(bucket)
        owner = state.owner_canonical_id if state is not None else ""
        rows = [
            {"Grantee": _grantee(grant["grantee"]), "Permission": grant["permission"]}
            for grant in body["grants"]
        ]
        document = {"Owner": {"ID": owner}, "Grants": rows}
        perform(request, "PutBucketAcl", bucket, arguments={"AccessControlPolicy": document})


def _name(grantee: dict[str, str]) -> str:
    """Name a grantee as S3 shows him."""
    return grantee["URI"] if grantee["Type"] == "Group" else grantee["ID"]


def _grantee(name: str) -> dict[str, str]:
    """Write a grantee as S3 takes him."""
    if name in GROUPS or "://" in name:
        return {"Type": "Group", "URI": name}
    if "@" in name:
        return {"Type": "AmazonCustomerByEmail", "EmailAddress": name}
    return {"Type": "CanonicalUser", "ID": name}
