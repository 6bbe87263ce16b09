"""The order of resource versions."""

from __future__ import annotations


def is_newer(version: str, than: str) -> bool:
    """Whether a resource version is later than another of the same kind, as Kubernetes 1.35 and later promise.

    One of another kind is comparable where both are kept in the same etcd, as they are unless somebody says otherwise.
    """
    return int(version) > int(than)
