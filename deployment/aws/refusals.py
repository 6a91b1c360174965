"""botocore's exceptions → a sentence that says what is wrong, and what to do about it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from botocore import exceptions as boto
from botocore.exceptions import ClientError

from deployment.aws.advice import ADVICE
from deployment.errors import DeploymentError, Misuse, NotAllowed, NotReached, NotYet, Refused
from deployment.plan.calls import Call

MISSING = ("could not find", "does not exist", "not found", "no scalable target", "no scaling")
"""How services say that a thing is not there; SageMaker has no code for it."""

MISSING_CODES = (
    *("404", "NoSuchKey", "NoSuchBucket"),
    *("ResourceNotFound", "ResourceNotFoundException"),
    *("NoSuchEntity", "NoSuchTagSet"),
)

EXPIRED = ("ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired")

UNKNOWN_CALLER = (
    "UnrecognizedClientException",
    "InvalidClientTokenId",
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "InvalidSignatureException",
    "AuthFailure",
)

DENIED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "403")

THROTTLED = (
    *("Throttling", "ThrottlingException", "ThrottledException", "TooManyRequestsException"),
    *("RequestThrottled", "RequestThrottledException", "RequestLimitExceeded", "SlowDown"),
)

ASSUMING = ("CreateModel", "CreateTrainingJob", "CreateHyperParameterTuningJob")
"""What SageMaker does not do for a role that it can't take."""

NEW_ROLE = r"assume (the )?role|ensure that the role .* exists|security token .*invalid"
"""How SageMaker refuses a role that it does not know yet, or that does not suit."""

S3_ACTIONS = {
    "HeadBucket": "ListBucket",
    "HeadObject": "GetObject",
    "DeleteObjects": "DeleteObject",
    "ListMultipartUploads": "ListBucketMultipartUploads",
    "ListObjectsV2": "ListBucket",
    "GetPublicAccessBlock": "GetBucketPublicAccessBlock",
    "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
}
"""Where the permission is called otherwise than the call."""

PREFIXES = {"sagemaker-runtime": "sagemaker", "service-quotas": "servicequotas"}


def action(call: Call) -> str:
    """The permission that a call needs, as policies name it: `sagemaker:CreateModel`."""
    prefix = PREFIXES.get(call.service, call.service)
    operation = S3_ACTIONS.get(call.operation, call.operation) if prefix == "s3" else call.operation
    return f"{prefix}:{operation}"


def code_of(error: ClientError) -> str:
    """AWS's own name of what is wrong."""
    return str(error.response.get("Error", {}).get("Code", ""))


def said(error: ClientError) -> str:
    """AWS's own words, as a sentence."""
    words = " ".join(str(error.response.get("Error", {}).get("Message", "")).split())
    return words if words.endswith((".", "!")) or not words else f"{words}."


def is_no_answer(error: ClientError) -> bool:
    """Whether AWS has failed, which says nothing of what it was asked."""
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)) >= 500


def is_missing(error: ClientError) -> bool:
    """Whether this says no more than that a thing is not there."""
    if is_no_answer(error):
        return False
    if code_of(error) in MISSING_CODES:
        return True
    words = said(error).lower()
    return code_of(error) not in DENIED and any(each in words for each in MISSING)


def refusal(error: ClientError, call: Call, region: str) -> DeploymentError:
    """What AWS said to a call."""
    code = code_of(error)
    for codes, tell in CODES:
        if code in codes:
            return tell(error, call, region)
    if is_no_answer(error):
        return unanswered(error, call)
    words = said(error)
    new = call.operation in ASSUMING and re.search(NEW_ROLE, words, re.IGNORECASE)
    kind = NotYet if new else Refused
    for pattern, advice in ADVICE:
        if re.search(pattern, words, re.IGNORECASE):
            return kind(f"{words} {advice}", code)
    return kind(f"AWS refuses {action(call)} ({code}): {words}", code)


def expired(_error: ClientError, _call: Call, _region: str) -> DeploymentError:
    """Credentials that were good once."""
    return NotAllowed(
        "Your AWS credentials have expired. Get new ones (aws sso login, or whatever gave you "
        "these), and give the same command again: it goes on where it stopped."
    )


def unknown(error: ClientError, _call: Call, region: str) -> DeploymentError:
    """Credentials that AWS does not know."""
    return NotAllowed(
        f"AWS does not accept your credentials in {region}: {said(error)} aws configure sets "
        "them, AWS_PROFILE or --profile chooses among several; a region may also have to be "
        "enabled in your account first."
    )


def denied(error: ClientError, call: Call, _region: str) -> DeploymentError:
    """A permission is missing: which, and the statement that gives it."""
    if call.service == "s3":
        return denied_bucket(call)
    found = re.search(
        r"not authorized to perform:? ([\w-]+:\w+)(?: on resource:? (\S+))?", said(error)
    )
    missing = found[1] if found else action(call)
    resource = (found[2] if found and found[2] else "*").rstrip(".")
    return NotAllowed(
        f"Your AWS user or role may not do {missing}. {said(error)} Whoever manages the account "
        f"can add this statement to its policy:\n{statement(missing, resource)}"
    )


def statement(missing: str, resource: str) -> str:
    """The statement of a policy that allows one thing."""
    return json.dumps({"Effect": "Allow", "Action": missing, "Resource": resource}, indent=2)


def denied_bucket(call: Call) -> DeploymentError:
    """S3 says 403 for a bucket of somebody else, and for a missing permission."""
    bucket = call.parameters.get("Bucket", "")
    resource = f"arn:aws:s3:::{bucket}"
    if "Key" in call.parameters:
        resource += f"/{call.parameters['Key']}"
    elif "Delete" in call.parameters:
        resource += "/*"
    return NotAllowed(
        f"S3 does not let you use the bucket {bucket}. Either it belongs to another AWS account: "
        "then name one of your own with --bucket. Or your user or role lacks a permission: then "
        "whoever manages the account can add this statement to its policy:\n"
        f"{statement(action(call), resource)}"
    )


def throttled(_error: ClientError, call: Call, _region: str) -> DeploymentError:
    """Still too fast after all attempts."""
    return NotReached(
        f"AWS is throttling {action(call)}, also after several attempts with pauses between them. "
        "Give the same command again in a few minutes: it goes on where it stopped."
    )


def unanswered(error: ClientError, call: Call) -> DeploymentError:
    """A failure of AWS's own, still there after all attempts."""
    status = error.response["ResponseMetadata"]["HTTPStatusCode"]
    return NotReached(
        f"AWS did not answer {action(call)}, also after several attempts: it failed with "
        f"{status} ({code_of(error)}). {said(error)} Give the same command again in a few minutes: "
        "it goes on where it stopped."
    )


def answered(error: ClientError, call: Call, _region: str) -> DeploymentError:
    """The container answered with an error of its own."""
    words = error.response.get("OriginalMessage") or said(error)
    status = error.response.get("OriginalStatusCode", "")
    name = call.parameters.get("EndpointName", "")
    return Refused(
        f"The container answered {status}: {words} `python deploy.py logs {name}` shows more.",
        "ModelError",
    )


def limited(error: ClientError, _call: Call, region: str) -> DeploymentError:
    """A quota of the account is used up."""
    return Refused(
        f"{said(error)} A new account may use few instances, or none of a kind. Choose another "
        f"--instance, or have the quota raised: AWS console, Service Quotas, Amazon SageMaker, in "
        f"{region}. `python deploy.py list` shows what runs already.",
        code_of(error),
    )


def elsewhere(_error: ClientError, call: Call, region: str) -> DeploymentError:
    """A bucket in another region."""
    return in_another_region(call.parameters.get("Bucket", ""), region)


def in_another_region(bucket: str, region: str) -> DeploymentError:
    """What SageMaker can't read from."""
    return Refused(
        f"The bucket {bucket} is in another region than {region}. SageMaker reads in its own "
        "region only: for what is uploaded, name a bucket there with --bucket; copy what lies in "
        "S3 already into one.",
        "301",
    )


def in_use(error: ClientError, call: Call, _region: str) -> DeploymentError:
    """A name that something has, or a thing that something else is at work on."""
    advice = "Give the same command again: another time makes another name."
    if call.operation not in ASSUMING:
        advice = "Give the same command again when that has ended."
    return Refused(
        f"AWS refuses {action(call)} (ResourceInUse): {said(error)} {advice}", "ResourceInUse"
    )


def taken(_error: ClientError, call: Call, _region: str) -> DeploymentError:
    """Names of buckets are the world's."""
    return Refused(
        f"The bucket {call.parameters.get('Bucket', '')} belongs to somebody else: names of "
        "buckets are taken once in the whole world. Name another with --bucket.",
        "BucketAlreadyExists",
    )


CODES: tuple[tuple[tuple[str, ...], Callable[[ClientError, Call, str], DeploymentError]], ...] = (
    (EXPIRED, expired),
    (UNKNOWN_CALLER, unknown),
    (DENIED, denied),
    (THROTTLED, throttled),
    (("ModelError",), answered),
    (("ResourceLimitExceeded",), limited),
    (("301", "PermanentRedirect", "IllegalLocationConstraintException"), elsewhere),
    (("BucketAlreadyExists",), taken),
    (("ResourceInUse",), in_use),
)


def unreached(error: Any) -> DeploymentError:
    """What kept boto3 from asking, or from hearing an answer."""
    for kind, tell in KINDS:
        if isinstance(error, kind):
            return tell(error)
    return NotReached(f"AWS can't be reached: {str(error).rstrip('.')}. Is there a network?")


KINDS: tuple[tuple[Any, Callable[[Any], DeploymentError]], ...] = (
    (
        (boto.NoCredentialsError, boto.PartialCredentialsError, boto.CredentialRetrievalError),
        lambda _: NotAllowed(
            "There are no AWS credentials, or not all of them. Put them in ~/.aws/credentials (or "
            "let aws configure do it), or in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; "
            "--profile chooses among several. docs/deploy.md says where to get them."
        ),
    ),
    (
        (boto.ProfileNotFound,),
        lambda error: NotAllowed(f"{error}. aws configure list-profiles shows those there are."),
    ),
    (
        (boto.UnauthorizedSSOTokenError, boto.SSOTokenLoadError, boto.TokenRetrievalError),
        lambda _: NotAllowed("Your AWS sign-in has expired: aws sso login renews it."),
    ),
    (
        (boto.EndpointConnectionError, boto.InvalidRegionError),
        lambda error: NotReached(
            f"There is no response from AWS: {str(error).rstrip('.')}. Is the region spelled "
            "as AWS spells it, such as eu-central-1, and is there a network?"
        ),
    ),
    (
        (boto.ParamValidationError,),
        lambda error: Misuse(f"AWS takes no such value. {error}"),
    ),
)
