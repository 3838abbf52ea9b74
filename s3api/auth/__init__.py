"""Who sends a request: AWS Signature Version 4, by header, query and form; Version 2 where allowed.

`identify` is the door for requests, `authenticate_form` the one for forms, whose policies
`check_policy` judges. Knows requests and the keyring; what a caller may do is not its affair.
"""

from __future__ import annotations

from s3api.auth.door import identify
from s3api.auth.form_policy import check_policy
from s3api.auth.forms import authenticate_form, missing_field, refuse_other_claims
from s3api.auth.sigv4 import Identity, authenticate
from s3api.http.payload import Payload, PayloadKind

__all__ = [
    "Identity",
    "Payload",
    "PayloadKind",
    "authenticate",
    "authenticate_form",
    "check_policy",
    "identify",
    "missing_field",
    "refuse_other_claims",
]
