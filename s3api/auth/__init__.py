"""Who sends a request: AWS Signature Version 4, by header and by query.

`authenticate` is the door. Knows requests and the keyring; what a caller may do is not its affair.
"""

from __future__ import annotations

from s3api.auth.sigv4 import Identity, authenticate
from s3api.http.payload import Payload, PayloadKind

__all__ = ["Identity", "Payload", "PayloadKind", "authenticate"]
