"""Places that a run reads from and writes to, and the names of what it refers to."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from modelyard_api.base import WEB_ADDRESS, ApiModel, Matches, Rule

_DNS_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
SUBDOMAIN = rf"{_DNS_LABEL}(\.{_DNS_LABEL})*"

Name = Annotated[
    str,
    StringConstraints(max_length=253),
    Matches(
        "must be a Kubernetes name: lower-case letters, digits, hyphens and dots, and on both sides of each dot a "
        "letter or a digit",
        (f"^{SUBDOMAIN}$",),
    ),
]
S3Uri = Annotated[
    str,
    StringConstraints(max_length=1024),
    Matches(
        "must be s3://BUCKET/PREFIX, such as s3://datasets/digits/v1/",
        (r"^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/.*)?$",),
    ),
    # Where a store keeps objects as files, such a key leads elsewhere; and on its way there, clients shorten it.
    Matches("must not have . or .. for a folder", (r"^[^/]*(/([^/.][^/]*|\.[^/.][^/]*|\.\.[^/]+)?)*$",)),
]
Folder = Annotated[str, StringConstraints(max_length=1024), Matches("must be a path that begins with /", (r"^/.*$",))]
_PART = r"([^/.\n][^/\n]*|\.[^/.\n][^/\n]*|\.\.[^/\n]+)"
PathWithin = Annotated[
    str,
    StringConstraints(max_length=1024),
    Matches(
        "must be a path within the volume, without . and .., such as weights/resnet18.pth", (f"^({_PART}/)*{_PART}?$",)
    ),
]


def one_source(*fields: str) -> Rule:
    """That an object names exactly one of the places that something may come from, each an optional field."""
    given = ", ".join(f"has(self.{field})" for field in fields)
    return Rule(
        f"[{given}].filter(given, given).size() == 1",
        f"must name one source: {', '.join(fields[:-1])} or {fields[-1]}",
        holds=lambda found: sum(getattr(found, field) is not None for field in fields) == 1,
    )


class VolumeLocation(ApiModel):
    """A place on a PersistentVolumeClaim of the run's namespace. The pod mounts it to read, and never to write."""

    claim_name: Annotated[Name, Field(description="Name of the PersistentVolumeClaim.")]
    path: Annotated[
        PathWithin, Field(description="Where on the volume, such as weights/resnet18.pth; all of it without it.")
    ] = ""


class SecretReference(ApiModel):
    """A Secret in the run's namespace. Only the pod reads it; the operator has no right to."""

    name: Annotated[Name, Field(description="Name of the Secret.")]


class S3Location(ApiModel):
    """A place in an S3 store and how to get at it."""

    uri: Annotated[
        S3Uri,
        Field(description="Bucket and prefix, such as s3://datasets/coco-like/v3/."),
    ]
    endpoint: Annotated[
        str | None,
        StringConstraints(max_length=512),
        Matches("must be http://HOST:PORT or https://HOST:PORT", (WEB_ADDRESS,)),
        Field(
            description="Address of the S3 service, such as http://s3.storage.svc:7070. Without it the Secret's "
            "AWS_ENDPOINT_URL is used, and without that Amazon's."
        ),
    ] = None
    region: Annotated[
        str,
        StringConstraints(max_length=64),
        Matches("must be a region such as us-east-1", (r"^[a-z0-9-]+$",)),
        Field(description="Region that requests are signed for."),
    ] = "us-east-1"
    secret_ref: Annotated[
        SecretReference | None,
        Field(
            description="Secret with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (and, where needed, "
            "AWS_SESSION_TOKEN and AWS_ENDPOINT_URL). Without it the pod's service account is used."
        ),
    ] = None
