"""Rights as RBAC has them: those that roles grant, and those that requests take."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from tests.chaos.requests import About

_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


@dataclass(frozen=True, order=True)
class Right:
    """To do something with a kind of object.

    Attributes:
        resource: with its subresource, such as `trainingruns/status`.
        name: the one object that it is limited to, or that was asked for; empty for any.
    """

    verb: str
    group: str
    resource: str
    name: str = ""

    def covers(self, used: Right) -> bool:
        """Whether who has this may do what `used` did."""
        return self.name in ("", used.name) and replace(used, name=self.name) == self


def granted(roles: Iterable[dict[str, Any]]) -> set[Right]:
    """The rights of Roles and ClusterRoles, each by itself."""
    rules = [rule for role in roles for rule in role["rules"]]
    return {
        Right(verb, group, resource, name)
        for rule in rules
        for verb in rule["verbs"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for name in rule.get("resourceNames", [""])
    }


@dataclass
class UsedRights:
    """What somebody asked of an API server.

    Attributes:
        used: the rights that it took.
        elsewhere: paths that are no objects', such as `/openid/v1/jwks`: cluster roles of every cluster allow those.
        refused: what was said to requests that were not allowed.
    """

    used: set[Right] = field(default_factory=set)
    elsewhere: set[str] = field(default_factory=set)
    refused: list[str] = field(default_factory=list)

    def asked(self, about: About, body: bytes, *, watching: bool) -> None:
        """A request is on its way."""
        reading = "get" if about.name else "watch" if watching else "list"
        resource = f"{about.plural}/{about.sub}" if about.sub else about.plural
        name = "" if about.method == "POST" else about.name
        self.used.add(Right(_VERBS.get(about.method, reading), about.group, resource, name))
        if about.method == "POST":
            self.used |= _to_block_owners(json.loads(body))

    def answered(self, about: About, status: int, body: bytes) -> None:
        """It was answered; an apply that finds nothing creates it, which takes both rights."""
        if about.method == "PATCH" and status == 201:
            self.used.add(Right("create", about.group, about.plural))
        if status in (401, 403) and b'"NamespaceTerminating"' not in body:
            self.refused.append(f"{about.what} {about.name}: {body.decode(errors='replace')}")


def _to_block_owners(created: dict[str, Any]) -> set[Right]:
    """An owner that cannot go before what is created takes the right to hold it, where the API server checks that."""
    owners = created.get("metadata", {}).get("ownerReferences", ())
    return {
        Right("update", owner["apiVersion"].rpartition("/")[0], f"{owner['kind'].lower()}s/finalizers", owner["name"])
        for owner in owners
        if owner.get("blockOwnerDeletion")
    }
