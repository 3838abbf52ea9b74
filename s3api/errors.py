"""The one error a request can end in, and the one table of S3's codes.

Every refusal in the S3 API is an `S3Error` naming a code of `CODES`; the protocol renders it.
Knows nothing of HTTP, of the engine or of Django. A code that is not in the table is a programmer's
error and fails at once.

Codes and statuses: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html and the
exceptions of AWS's service model. Where S3 is known to send another text or status than its manual
prints, what it sends stands here. Left out: SOAP, access points, Outposts, Storage Lens, Select.
"""

from __future__ import annotations

from typing import Final

# HTTP status -> code -> default message.
_BY_STATUS: Final[dict[int, dict[str, str]]] = {
    301: {
        "PermanentRedirect": (
            "The bucket you are attempting to access must be addressed using the specified "
            "endpoint. Please send all future requests to this endpoint."
        ),
    },
    304: {
        "NotModified": "Not Modified",
    },
    307: {
        "Redirect": "Temporary redirect.",
        "TemporaryRedirect": (
            "Please re-send this request to the specified temporary endpoint. Continue to use"
            " the original request endpoint for future requests."
        ),
    },
    400: {
        "AccessControlListNotSupported": "The bucket does not allow ACLs",
        "AmbiguousGrantByEmailAddress": (
            "The e-mail address you provided is associated with more than one account."
        ),
        "AnnotationLimitExceeded": "The object has the greatest allowed number of annotations.",
        "AnnotationNameTooLong": "Your annotation name is too long.",
        "AuthorizationHeaderMalformed": "The authorization header that you provided is not valid.",
        "AuthorizationQueryParametersError": (
            "The authorization query parameters that you provided are not valid."
        ),
        "BadDigest": "The Content-MD5 you specified did not match what we received.",
        "BadRequest": "Bad Request",
        "CredentialsNotSupported": "This request does not support credentials.",
        "DeviceNotActiveError": "The device is not currently active.",
        "EncryptionTypeMismatch": "The object was created with a different encryption type.",
        "EntityTooLarge": "Your proposed upload exceeds the maximum allowed size",
        "EntityTooSmall": "Your proposed upload is smaller than the minimum allowed size",
        "ExpiredToken": "The provided token has expired.",
        "IdempotencyParameterMismatch": (
            "The parameters differ from those of the earlier request with this client token."
        ),
        "IllegalLocationConstraintException": (
            "The unspecified location constraint is incompatible for the region specific "
            "endpoint this request was sent to."
        ),
        "IllegalVersioningConfigurationException": "The Versioning element must be specified",
        "IncompleteBody": (
            "You did not provide the number of bytes specified by the Content-Length HTTP header"
        ),
        "IncorrectEndpoint": (
            "The specified bucket exists in another Region. Direct requests to the correct "
            "endpoint."
        ),
        "IncorrectNumberOfFilesInPostRequest": "POST requires exactly one file upload per request.",
        "InlineDataTooLarge": "Inline data exceeds the maximum allowed size.",
        "InvalidAnnotationName": "Your annotation name is not valid.",
        "InvalidArgument": "Invalid Argument",
        "InvalidBucketAclWithBlockPublicAccessError": (
            "Bucket cannot have public ACLs set with BlockPublicAccess enabled"
        ),
        "InvalidBucketAclWithObjectOwnership": (
            "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting"
        ),
        "InvalidBucketName": "The specified bucket is not valid.",
        "InvalidBucketOwnerAWSAccountID": (
            "The value of the expected bucket owner parameter must be an AWS account ID."
        ),
        "InvalidDigest": "The Content-MD5 you specified was invalid.",
        "InvalidEncryptionAlgorithmError": (
            "The encryption request you specified is not valid. The valid value is AES256."
        ),
        "InvalidHostHeader": (
            "The host headers provided in the request used the incorrect style addressing."
        ),
        "InvalidHttpMethod": "The request is made using an unexpected HTTP method.",
        "InvalidLocationConstraint": "The specified location-constraint is not valid",
        "InvalidPart": (
            "One or more of the specified parts could not be found.  The part may not have "
            "been uploaded, or the specified entity tag may not match the part's entity tag."
        ),
        "InvalidPartOrder": (
            "The list of parts was not in ascending order. Parts must be ordered by part number."
        ),
        "InvalidPolicyDocument": (
            "The content of the form does not meet the conditions specified in the policy document."
        ),
        "InvalidPrefix": "The annotation prefix you have provided is not valid.",
        "InvalidRedirectLocation": (
            "The website redirect location must have a prefix of 'http://' or 'https://' or '/'."
        ),
        "InvalidRequest": "Invalid Request",
        "InvalidSessionException": "The session does not exist any more: it timed out or expired.",
        "InvalidSignature": (
            "The request signature that the server calculated does not match the signature "
            "that you provided."
        ),
        "InvalidStorageClass": "The storage class you specified is not valid",
        "InvalidTag": "The tag provided was not a valid tag.",
        "InvalidTargetBucketForLogging": "The target bucket for logging does not exist",
        "InvalidToken": "The provided token is malformed or otherwise invalid.",
        "InvalidURI": "Couldn't parse the specified URI.",
        "InvalidWriteOffset": (
            "The write offset value that you specified does not match the current object size."
        ),
        "KMS.DisabledException": "The specified KMS key is not enabled.",
        "KMS.InvalidKeyUsageException": "The specified KMS key cannot be used for this operation.",
        "KMS.KMSInvalidStateException": (
            "The state of the specified KMS key is not valid for this request."
        ),
        "KMS.NotFoundException": "The specified KMS key could not be found.",
        "KeyTooLongError": "Your key is too long",
        "MalformedACLError": (
            "The XML you provided was not well-formed or did not validate against our "
            "published schema"
        ),
        "MalformedContinuationToken": "The continuation-token you provided invalid.",
        "MalformedPOSTRequest": (
            "The body of your POST request is not well-formed multipart/form-data."
        ),
        "MalformedPolicy": "Policies must be valid JSON and the first byte must be '{'",
        "MalformedTrailerError": (
            "The request contained trailing data that was not well-formed or did not conform "
            "to our published schema."
        ),
        "MalformedXML": (
            "The XML you provided was not well-formed or did not validate against our "
            "published schema"
        ),
        "MaxMessageLengthExceeded": "Your request was too big.",
        "MaxPostPreDataLengthExceeded": (  # in the manual its name ends in Error
            "Your POST request fields preceeding the upload file was too large."
        ),
        "MetadataTooLarge": "Your metadata headers exceed the maximum allowed metadata size",
        "MissingRequestBodyError": "Request Body is empty",
        "MissingSecurityHeader": "Your request was missing a required header",
        "NoLoggingStatusForKey": "There is no such thing as the ?logging sub-resource for a key",
        "NotDeviceOwnerError": (
            "The device that generated the token is not owned by the authenticated user."
        ),
        "PolicyTooLarge": (
            "Normalized policy document exceeds the maximum allowed size of 20480 bytes."
        ),
        "RegionSetMismatch": "The region set of the signature does not cover this region.",
        "RequestHeaderSectionTooLarge": (
            "Your request header section exceeds the maximum allowed request header section size."
        ),
        "RequestTimeout": (
            "Your socket connection to the server was not read from or written to within the "
            "timeout period. Idle connections will be closed."
        ),
        "RequestTorrentOfBucketError": "Requesting the torrent file of a bucket is not permitted.",
        "TagPolicyException": (
            "The tag policy does not allow the specified value for the following tag key."
        ),
        "TokenCodeInvalidError": "The serial number and/or token code you provided is not valid.",
        "TokenRefreshRequired": "The provided token must be refreshed.",
        "TooManyBuckets": "You have attempted to create more buckets than allowed",
        "TooManyParts": "You have attempted to add more parts than the maximum of 10000.",
        "UnexpectedContent": "This request does not support content",
        "UnresolvableGrantByEmailAddress": (
            "The e-mail address you provided does not match any account on record."
        ),
        "UnsupportedArgument": "The request contained an unsupported argument.",
        "UnsupportedSignature": (
            "The provided request is signed with an unsupported STS Token version or the "
            "signature version is not supported."
        ),
        "UserAnnotationNameMustBeSpecified": "You must specify a user annotation name.",
        "UserKeyMustBeSpecified": (
            "The bucket POST must contain the specified field name.  If it is specified, "
            "please check the order of the fields."
        ),
        "XAmzContentChecksumMismatch": (
            "The provided 'x-amz-checksum' header does not match what was computed."
        ),
        "XAmzContentSHA256Mismatch": (
            "The provided 'x-amz-content-sha256' header does not match what was computed."
        ),
    },
    403: {
        "AccessDenied": "Access Denied",
        "AccessForbidden": "CORSResponse: This CORS request is not allowed.",
        "AccountProblem": (
            "There is a problem with your account that prevents the operation from completing."
        ),
        "AllAccessDisabled": "All access to this object has been disabled",
        "CrossLocationLoggingProhibited": "Cross-location logging not allowed.",
        "InvalidAccessKeyId": "The AWS Access Key Id you provided does not exist in our records.",
        "InvalidChunkSizeError": (
            "Only the last chunk is allowed to have a size less than 8192 bytes"
        ),
        "InvalidObjectState": "The operation is not valid for the object's storage class",
        "InvalidPayer": "All access to this object has been disabled",
        "InvalidRegion": "The specified region is not valid.",
        "InvalidSecurity": "The provided security credentials are not valid.",
        "MissingAuthenticationToken": "The request was not signed.",
        "NotSignedUp": "Your account is not signed up",
        "ObjectAlreadyInActiveTierError": "This action is not allowed against this storage tier.",
        "ObjectNotInActiveTierError": (
            "The source object of the COPY action is not in the active tier."
        ),
        # AWS has no quotas of buckets. Code and status are Ceph's (rgw_common.cc, at
        # ERR_QUOTA_EXCEEDED), not MinIO's 400 XMinioAdminBucketQuotaExceeded: what was asked is
        # sound. Not a 5xx, for nothing is gained by trying again.
        "QuotaExceeded": "The bucket would hold more than its quota allows.",
        "RequestTimeTooSkewed": (
            "The difference between the request time and the current time is too large."
        ),
        "SignatureDoesNotMatch": (
            "The request signature we calculated does not match the signature you provided. "
            "Check your key and signing method."
        ),
    },
    404: {
        "MetadataConfigurationNotFound": "The metadata configuration was not found",
        "NoSuchAnnotation": "The specified annotation does not exist.",
        "NoSuchBucket": "The specified bucket does not exist",
        "NoSuchBucketPolicy": "The bucket policy does not exist",
        "NoSuchCORSConfiguration": "The CORS configuration does not exist",
        "NoSuchConfiguration": "The specified configuration does not exist.",
        "NoSuchKey": "The specified key does not exist.",
        "NoSuchLifecycleConfiguration": "The lifecycle configuration does not exist",
        "NoSuchObjectLockConfiguration": (
            "The specified object does not have a ObjectLock configuration"
        ),
        "NoSuchPublicAccessBlockConfiguration": (
            "The public access block configuration was not found"
        ),
        "NoSuchTagSet": "The TagSet does not exist",
        "NoSuchUpload": (
            "The specified upload does not exist. The upload ID may be invalid, or the upload"
            " may have been aborted or completed."
        ),
        "NoSuchVersion": "The specified version does not exist.",
        "NoSuchWebsiteConfiguration": "The specified bucket does not have a website configuration",
        "ObjectLockConfigurationNotFoundError": (
            "Object Lock configuration does not exist for this bucket"
        ),
        "OwnershipControlsNotFoundError": "The bucket ownership controls were not found",
        "ReplicationConfigurationNotFoundError": "The replication configuration was not found",
        "ServerSideEncryptionConfigurationNotFoundError": (
            "The server side encryption configuration was not found"
        ),
    },
    405: {
        "MethodNotAllowed": "The specified method is not allowed against this resource.",
        "V1APIsNotAllowed": (
            "This V1 operation is not available; use the corresponding V2 operation."
        ),
    },
    409: {
        "AnnotationRequestConflict": (
            "A conflicting operation is currently in progress against this annotation."
        ),
        "BucketAlreadyExists": (
            "The requested bucket name is not available. The bucket namespace is shared by "
            "all users of the system. Please select a different name and try again."
        ),
        "BucketAlreadyOwnedByYou": (
            "Your previous request to create the named bucket succeeded and you already own it."
        ),
        "BucketNotEmpty": "The bucket you tried to delete is not empty",
        "ConditionalRequestConflict": (
            "The conditional request cannot succeed due to a conflicting operation against "
            "this resource."
        ),
        "InvalidBucketState": "The request is not valid with the current state of the bucket.",
        "OperationAborted": (
            "A conflicting conditional operation is currently in progress against this "
            "resource. Please try again."
        ),
        "RestoreAlreadyInProgress": "Object restore is already in progress",
    },
    411: {
        "MissingContentLength": "You must provide the Content-Length HTTP header.",
    },
    412: {
        "PreconditionFailed": "At least one of the pre-conditions you specified did not hold",
        "RequestIsNotMultiPartContent": (
            "Bucket POST must be of the enclosure-type multipart/form-data."
        ),
    },
    415: {
        "UnsupportedMediaType": "The annotation payload must be valid UTF-8 encoded text.",
    },
    416: {
        "InvalidPartNumber": "The requested partnumber is not satisfiable",
        "InvalidRange": "The requested range is not satisfiable",
    },
    500: {
        "InternalError": "We encountered an internal error. Please try again.",
    },
    501: {
        "NotImplemented": "A header you provided implies functionality that is not implemented",
    },
    503: {
        "ServiceUnavailable": "Service is unable to handle request.",
        "SlowDown": "Please reduce your request rate.",
    },
    507: {
        # S4's own: AWS never runs out of disk. Clients do not repeat a 507 again and again.
        "InsufficientStorage": "The store has no room left for this request.",
    },
}

# Code -> (HTTP status, default message).
CODES: Final[dict[str, tuple[int, str]]] = {
    code: (status, message)
    for status, messages in _BY_STATUS.items()
    for code, message in messages.items()
}


class S3Error(Exception):
    """A refusal in S3's words; `detail` becomes extra XML elements, in the order given.

    >>> S3Error("NoSuchKey", Key="a/b").status
    404
    """

    def __init__(
        self,
        code: str,
        message: str | None = None,
        *,
        headers: dict[str, str] | None = None,
        **detail: str,
    ) -> None:
        self.status, default = CODES[code]
        self.code = code
        self.message = default if message is None else message
        self.headers = headers or {}
        self.detail = detail
        super().__init__(code, self.message)
