"""What botocore's errors mean to a person."""

from __future__ import annotations

from botocore import exceptions as botocore_errors
from modelyard_api.outcome import Reason

from modelyard_trainer.errors import RunError

_REFUSED = frozenset(
    {
        "403",
        "AccessDenied",
        "AccountProblem",
        "AllAccessDisabled",
        "ExpiredToken",
        "Forbidden",
        "InvalidAccessKeyId",
        "InvalidToken",
        "SignatureDoesNotMatch",
        "TokenRefreshRequired",
        "XAdminUserNotFound",
        "XAmzContentSHA256Mismatch",
    }
)
_PASSING = frozenset({"SlowDown", "RequestTimeout", "RequestTimeTooSkewed", "429"})
"""A clock that is wrong is set right sooner or later; the status is 403 then."""
_NO_BUCKET = frozenset({"NoSuchBucket", "InvalidBucketName"})
_MISSING = (botocore_errors.NoCredentialsError, botocore_errors.PartialCredentialsError)
_REFUSED_STATUS = frozenset({401, 403})
_FIRST_SERVER_ERROR = 500


def code_of(error: botocore_errors.ClientError) -> str:
    """The store's own word for the error, such as NoSuchKey; for answers without a body the HTTP status."""
    return str(error.response.get("Error", {}).get("Code", ""))


def explain(error: Exception, what: str, where: str, endpoint: str) -> RunError:
    """The error as the end of a run.

    Args:
        error: what botocore raised.
        what: the block of the spec that names the place: dataset or artifacts.
        where: what was being read or written, as an S3 URI.
        endpoint: address of the store.
    """
    field = f"spec.{what}.s3"
    if isinstance(error, _MISSING):
        return RunError(
            Reason.CREDENTIALS_MISSING,
            f"{field}: there are no credentials for {endpoint}; a secretRef whose Secret has AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY would be right",
        )
    if isinstance(error, botocore_errors.ClientError):
        code = code_of(error)
        said = str(error.response.get("Error", {}).get("Message", "")).rstrip(".")
        if code in _NO_BUCKET:
            return RunError(Reason.BUCKET_NOT_FOUND, f"{field}: {endpoint} has no bucket {where.split('/')[2]}")
        status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", _FIRST_SERVER_ERROR))
        if status >= _FIRST_SERVER_ERROR or code in _PASSING:
            return RunError(Reason.STORE_UNREACHABLE, f"{field}: {endpoint} answered {code} for {where} ({said})")
        if code in _REFUSED or status in _REFUSED_STATUS:
            return RunError(
                Reason.CREDENTIALS_REFUSED,
                f"{field}: {endpoint} refused the credentials for {where} ({code}{f': {said}' if said else ''})",
            )
        return RunError(
            Reason.INTERNAL_ERROR, f"{field}: {endpoint} answered {code} for {where} ({said}), which was not foreseen"
        )
    return RunError(
        Reason.STORE_UNREACHABLE, f"{field}: {endpoint} cannot be reached for {where} ({type(error).__name__}: {error})"
    )
