"""What the API server answers when it does not do as it was asked."""

from __future__ import annotations


class ApiError(Exception):
    """An answer other than success."""

    def __init__(self, status: int, reason: str, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(f"{status} {reason}: {message}")
        self.status = status
        self.reason = reason
        self.message = message
        self.retry_after = retry_after


class NotFoundError(ApiError):
    """404."""


class ConflictError(ApiError):
    """409: the object is there already, or has changed since it was read."""


class InvalidError(ApiError):
    """422: the object breaks its schema or a rule."""


class ForbiddenError(ApiError):
    """403: RBAC, quota or an admission policy."""


class ExpiredError(ApiError):
    """410: the resource version or continue token is too old."""


class StaleListError(Exception):
    """What was listed is older than what is known."""


_CLASSES: dict[int, type[ApiError]] = {
    403: ForbiddenError,
    404: NotFoundError,
    409: ConflictError,
    410: ExpiredError,
    422: InvalidError,
}


def api_error(status: int, reason: str, message: str, retry_after: float | None) -> ApiError:
    """The exception for an answer's HTTP status."""
    return _CLASSES.get(status, ApiError)(status, reason, message, retry_after=retry_after)
