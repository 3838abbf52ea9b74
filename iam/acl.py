"""Access control lists as values: who is granted what. Knows no Django, no request.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html
"""

from __future__ import annotations

from typing import NamedTuple


class Grant(NamedTuple):
    """One grant of an access control list.

    `grantee` is the canonical id of a user, or the URI of one of AWS's predefined groups.
    """

    grantee: str
    permission: str  # FULL_CONTROL | READ | WRITE | READ_ACP | WRITE_ACP
