"""The one error a request can end in, and the one table of S3's codes.

Every refusal in the S3 API is an `S3Error` naming a code of `CODES`; the protocol renders it.
Knows nothing of HTTP, of the engine or of Django. A code that is not in the table is a programmer's
error and fails at once.

Source of the codes and statuses:
https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html#ErrorCodeList
and the `exception` shapes of AWS's service model. Where AWS's servers are known to send another
text than the manual prints, the text seen on the wire stands here.
"""

from __future__ import annotations

from typing import Final

# code: (HTTP status, default message)
CODES: Final[dict[str, tuple[int, str]]] = {
    # --- redirects, which AWS dresses as errors ---
    "PermanentRedirect": (
        301,
        "The bucket you are attempting to access must be addressed using the specified endpoint. "
        "Please send all future requests to this endpoint.",
    ),
    "NotModified": (304, "Not Modified"),
    "Redirect": (307, "Temporary redirect."),
    "TemporaryRedirect": (
        307,
        "Please re-send this request to the specified temporary endpoint. "
        "Continue to use the original request endpoint for future requests.",
    ),
    # --- 400: the request itself is wrong ---
    "AccessControlListNotSupported": (400, "The bucket does not allow ACLs"),
    "AmbiguousGrantByEmailAddress": (
        400,
        "The e-mail address you provided is associated with more than one account.",
    ),
    "AnnotationLimitExceeded": (400, "The object already has the greatest number of annotations."),
    "AnnotationNameTooLong": (400, "The annotation name exceeds 512 bytes."),
    "AuthorizationHeaderMalformed": (400, "The authorization header that you provided is invalid."),
    "AuthorizationQueryParametersError": (
        400,
        "The authorization query parameters that you provided are not valid.",
    ),
    "BadDigest": (400, "The Content-MD5 you specified did not match what we received."),
    "BadRequest": (400, "Bad Request"),
    "CredentialsNotSupported": (400, "This request does not support credentials."),
    "CrossLocationLoggingProhibited": (403, "Cross-location logging not allowed."),
    "EncryptionTypeMismatch": (400, "The object was created with a different encryption type."),
    "EntityTooLarge": (400, "Your proposed upload exceeds the maximum allowed size"),
    "EntityTooSmall": (400, "Your proposed upload is smaller than the minimum allowed size"),
    "ExpiredToken": (400, "The provided token has expired."),
    "IdempotencyParameterMismatch": (
        400,
        "Parameters of this idempotent request differ from those of the earlier request.",
    ),
    "IllegalLocationConstraintException": (
        400,
        "The unspecified location constraint is incompatible for the region specific endpoint "
        "this request was sent to.",
    ),
    "IllegalVersioningConfigurationException": (
        400,
        "The Versioning element must be specified",
    ),
    "IncompleteBody": (
        400,
        "You did not provide the number of bytes specified by the Content-Length HTTP header",
    ),
    "IncorrectNumberOfFilesInPostRequest": (
        400,
        "POST requires exactly one file upload per request.",
    ),
    "InlineDataTooLarge": (400, "Inline data exceeds the maximum allowed size."),
    "InvalidAclRequest": (400, "The ACL request is not valid."),
    "InvalidAnnotationName": (400, "The annotation name you provided is invalid."),
    "InvalidArgument": (400, "Invalid Argument"),
    "InvalidBucketAclWithBlockPublicAccessError": (
        400,
        "Bucket cannot have public ACLs set with BlockPublicAccess enabled",
    ),
    "InvalidBucketAclWithObjectOwnership": (
        400,
        "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting",
    ),
    "InvalidBucketName": (400, "The specified bucket is not valid."),
    "InvalidBucketOwnerAWSAccountID": (
        400,
        "The value of the expected bucket owner parameter must be an AWS account ID... ",
    ),
    "InvalidDigest": (400, "The Content-MD5 you specified was invalid."),
    "InvalidEncryptionAlgorithmError": (
        400,
        "The encryption request you specified is not valid. The valid value is AES256.",
    ),
    "InvalidExpressionType": (400, "The ExpressionType is invalid."),
    "InvalidHostHeader": (
        400,
        "The host headers provided in the request used the incorrect style.",
    ),
    "InvalidHttpMethod": (400, "The request used an unexpected HTTP method."),
    "InvalidLocationConstraint": (400, "The specified location-constraint is not valid"),
    "InvalidPart": (
        400,
        "One or more of the specified parts could not be found.  The part may not have been "
        "uploaded, or the specified entity tag may not match the part's entity tag.",
    ),
    "InvalidPartNumber": (416, "The requested partnumber is not satisfiable"),
    "InvalidPartOrder": (
        400,
        "The list of parts was not in ascending order. Parts must be ordered by part number.",
    ),
    "InvalidPolicyDocument": (
        400,
        "The content of the form does not meet the conditions specified in the policy document.",
    ),
    "InvalidPrefix": (400, "The annotation prefix you provided is invalid."),
    "InvalidRegion": (403, "The specified region is not valid."),
    "InvalidRequest": (400, "Invalid Request"),
    "InvalidSOAPRequest": (400, "The SOAP request body is invalid."),
    "InvalidSessionException": (400, "The session is not valid."),
    "InvalidSignature": (400, "The request signature that the server calculated is not valid."),
    "InvalidStorageClass": (400, "The storage class you specified is not valid"),
    "InvalidTag": (400, "The tag provided was not a valid tag."),
    "InvalidTargetBucketForLogging": (400, "The target bucket for logging does not exist"),
    "InvalidToken": (400, "The provided token is malformed or otherwise invalid."),
    "InvalidURI": (400, "Couldn't parse the specified URI."),
    "InvalidWriteOffset": (
        400,
        "The write offset value that you specified does not match the current object size.",
    ),
    "KeyTooLongError": (400, "Your key is too long"),
    "MalformedACLError": (
        400,
        "The XML you provided was not well-formed or did not validate against our published schema",
    ),
    "MalformedPOSTRequest": (
        400,
        "The body of your POST request is not well-formed multipart/form-data.",
    ),
    "MalformedPolicy": (400, "Policies must be valid JSON and the first byte must be '{'"),
    "MalformedXML": (
        400,
        "The XML you provided was not well-formed or did not validate against our published schema",
    ),
    "MalformedTrailerError": (
        400,
        "The request contained trailing data that was not well-formed or did not conform to our "
        "published schema.",
    ),
    "MaxMessageLengthExceeded": (400, "Your request was too big."),
    "MaxPostPreDataLengthExceededError": (
        400,
        "Your POST request fields preceding the upload file were too large.",
    ),
    "MetadataTooLarge": (
        400,
        "Your metadata headers exceed the maximum allowed metadata size",
    ),
    "MissingAttachment": (400, "A SOAP attachment was expected, but none was found."),
    "MissingAuthenticationToken": (403, "The request was not signed."),
    "MissingRequestBodyError": (400, "Request Body is empty"),
    "MissingSecurityElement": (400, "The SOAP 1.1 request is missing a security element."),
    "MissingSecurityHeader": (400, "Your request was missing a required header"),
    "NoLoggingStatusForKey": (
        400,
        "There is no such thing as the ?logging sub-resource for a key",
    ),
    "OverMaxRecordSize": (400, "A record in the input is longer than the maximum record size."),
    "PostsRequireMultipart": (
        412,
        "Bucket POST must be of the enclosure-type multipart/form-data",
    ),
    "RequestHeaderSectionTooLarge": (
        400,
        "Your request header section exceeds the maximum allowed request header section size.",
    ),
    "RequestIsNotMultiPartContent": (
        412,
        "Bucket POST must be of the enclosure-type multipart/form-data.",
    ),
    "RequestTimeout": (
        400,
        "Your socket connection to the server was not read from or written to within the timeout "
        "period. Idle connections will be closed.",
    ),
    "RequestTorrentOfBucketError": (
        400,
        "Requesting the torrent file of a bucket is not permitted.",
    ),
    "ServerSideEncryptionConfigurationNotFoundError": (
        404,
        "The server side encryption configuration was not found",
    ),
    "TokenCodeInvalidError": (
        400,
        "The serial number or the token code you provided is not valid.",
    ),
    "TokenRefreshRequired": (400, "The provided token must be refreshed."),
    "TooManyBuckets": (400, "You have attempted to create more buckets than allowed"),
    "TooManyParts": (400, "You have attempted to add more parts than the maximum of 10000."),
    "UnexpectedContent": (400, "This request does not support content"),
    "UnresolvableGrantByEmailAddress": (
        400,
        "The e-mail address you provided does not match any account on record.",
    ),
    "UnsupportedArgument": (400, "The request contained an unsupported argument."),
    "UserKeyMustBeSpecified": (
        400,
        "The bucket POST must contain the specified field name.  If it is specified, please check "
        "the order of the fields.",
    ),
    "XAmzContentChecksumMismatch": (
        400,
        "The provided 'x-amz-checksum' header does not match what was computed.",
    ),
    "XAmzContentSHA256Mismatch": (
        400,
        "The provided 'x-amz-content-sha256' header does not match what was computed.",
    ),
    # --- 403: not for you ---
    "AccessDenied": (403, "Access Denied"),
    "AccessForbidden": (403, "CORSResponse: This CORS request is not allowed."),
    "AccountProblem": (403, "There is a problem with your account."),
    "AllAccessDisabled": (403, "All access to this object has been disabled"),
    "InvalidAccessKeyId": (
        403,
        "The AWS Access Key Id you provided does not exist in our records.",
    ),
    "InvalidChunkSizeError": (
        403,
        "Only the last chunk is allowed to have a size less than 8192 bytes",
    ),
    "InvalidObjectState": (
        403,
        "The operation is not valid for the object's storage class",
    ),
    "InvalidPayer": (403, "All access to this object has been disabled"),
    "InvalidSecurity": (403, "The provided security credentials are not valid."),
    "NotSignedUp": (403, "Your account is not signed up"),
    "ObjectAlreadyInActiveTierError": (
        403,
        "This action is not allowed against this storage tier.",
    ),
    "ObjectNotInActiveTierError": (403, "The source object of the COPY is not in the active tier."),
    "RequestExpired": (403, "Request has expired"),
    "RequestTimeTooSkewed": (
        403,
        "The difference between the request time and the current time is too large.",
    ),
    "SignatureDoesNotMatch": (
        403,
        "The request signature we calculated does not match the signature you provided. "
        "Check your key and signing method.",
    ),
    "UnauthorizedAccess": (403, "You are not authorized to perform this operation."),
    # --- 404: what is asked for is not there ---
    "AnnotationNotFound": (404, "The specified annotation does not exist."),
    "NoSuchAnnotation": (404, "The specified annotation does not exist on this object."),
    "NoSuchBucket": (404, "The specified bucket does not exist"),
    "NoSuchBucketPolicy": (404, "The bucket policy does not exist"),
    "NoSuchCORSConfiguration": (404, "The CORS configuration does not exist"),
    "NoSuchConfiguration": (404, "The specified configuration does not exist."),
    "NoSuchKey": (404, "The specified key does not exist."),
    "NoSuchLifecycleConfiguration": (404, "The lifecycle configuration does not exist"),
    "NoSuchObjectLockConfiguration": (
        404,
        "The specified object does not have a ObjectLock configuration",
    ),
    "NoSuchPublicAccessBlockConfiguration": (
        404,
        "The public access block configuration was not found",
    ),
    "NoSuchTagSet": (404, "The TagSet does not exist"),
    "NoSuchUpload": (
        404,
        "The specified upload does not exist. The upload ID may be invalid, or the upload may have "
        "been aborted or completed.",
    ),
    "NoSuchVersion": (404, "The specified version does not exist."),
    "NoSuchWebsiteConfiguration": (
        404,
        "The specified bucket does not have a website configuration",
    ),
    "NotFound": (404, "Not Found"),
    "ObjectLockConfigurationNotFoundError": (
        404,
        "Object Lock configuration does not exist for this bucket",
    ),
    "OwnershipControlsNotFoundError": (404, "The bucket ownership controls were not found"),
    "ReplicationConfigurationNotFoundError": (
        404,
        "The replication configuration was not found",
    ),
    # --- the other 4xx ---
    "MethodNotAllowed": (405, "The specified method is not allowed against this resource."),
    "BucketAlreadyExists": (
        409,
        "The requested bucket name is not available. The bucket namespace is shared by all users "
        "of the system. Please select a different name and try again.",
    ),
    "BucketAlreadyOwnedByYou": (
        409,
        "Your previous request to create the named bucket succeeded and you already own it.",
    ),
    "BucketNotEmpty": (409, "The bucket you tried to delete is not empty"),
    "ConditionalRequestConflict": (
        409,
        "The conditional request cannot succeed due to a conflicting operation against this "
        "resource.",
    ),
    "InvalidBucketState": (409, "The request is not valid with the current state of the bucket."),
    "OperationAborted": (
        409,
        "A conflicting conditional operation is currently in progress against this resource. "
        "Please try again.",
    ),
    "RestoreAlreadyInProgress": (409, "Object restore is already in progress"),
    "MissingContentLength": (411, "You must provide the Content-Length HTTP header."),
    "PreconditionFailed": (
        412,
        "At least one of the pre-conditions you specified did not hold",
    ),
    "DeviceNotActiveError": (400, "The device is not currently active."),
    "UnsupportedMediaType": (415, "The annotation payload is not valid UTF-8 encoded text."),
    "InvalidRange": (416, "The requested range is not satisfiable"),
    # --- 5xx: ours ---
    "InternalError": (500, "We encountered an internal error. Please try again."),
    "NotImplemented": (
        501,
        "A header you provided implies functionality that is not implemented",
    ),
    "ServiceUnavailable": (503, "Please reduce your request rate."),
    "SlowDown": (503, "Please reduce your request rate."),
}


class S3Error(Exception):
    """A refusal in S3's words; `detail` becomes extra XML elements in the order given.

    >>> S3Error("NoSuchKey", Key="a/b").status
    404
    """

    code: str
    status: int
    message: str
    headers: dict[str, str]
    detail: dict[str, str]

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
