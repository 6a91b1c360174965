"""What a person, and what the container, must be allowed in an AWS account: as IAM policies.

`python -m deployment.policy person|admin|role|trust` prints them, with --region and --account
filled in.
A test holds the first to the calls that deployment/ makes, so that nothing is missing or too much.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace

from deployment.grants import ADMIN, CONTAINER, GRANTS, PASSING, TAGGING, TRUST, Document, Grant


@dataclass(frozen=True)
class Place:
    """For whom a policy is; the default is everywhere that these tools use by themselves."""

    region: str = "REGION"
    account: str = "ACCOUNT"
    role: str = "plumbline"
    bucket: str = "sagemaker-{region}-{account}"

    def __call__(self, resource: str) -> str:
        """A resource's name, filled in."""
        known = {"region": self.region, "account": self.account, "role": self.role}
        return resource.format(bucket=self.bucket.format(**known), **known)


def person(place: Place) -> Document:
    """For whoever pushes and deploys."""
    return document(GRANTS, place)


def admin(place: Place) -> Document:
    """For whoever makes the account ready, once, by `deploy.py account`."""
    return document(ADMIN, place)


def role(place: Place) -> Document:
    """For the role that is named by --role."""
    return document(CONTAINER, place)


def document(grants: Mapping[str, Grant], place: Place) -> Document:
    """The grants as IAM takes them."""
    return {"Version": "2012-10-17", "Statement": list(statements(grants, place))}


def statements(grants: Mapping[str, Grant], place: Place) -> Iterator[Document]:
    """One statement for each grant."""
    for name, grant in grants.items():
        resources = [place(each) for each in grant.resources]
        yield {
            "Sid": name,
            "Effect": "Allow",
            "Action": [*grant.actions, *grant.implied],
            "Resource": resources if len(resources) > 1 else resources[0],
            **({"Condition": dict(grant.condition)} if grant.condition else {}),
        }


def needed(actions: Collection[str], place: Place, buckets: Collection[str]) -> Document:
    """What a person must be allowed for some actions alone, and for passing on the role with them.

    The data in these buckets is looked at.
    """
    passed = bool({*actions} & PASSING)
    wanted = {
        name: replace(grant, actions=tuple(each for each in grant.actions if each in actions))
        for name, grant in GRANTS.items()
        if {*actions} & {*grant.actions} - TAGGING or (name == "Role" and passed)
    }
    return document({**wanted, **read_from(buckets)}, place)


def reading(buckets: Collection[str], place: Place) -> Document:
    """For the role of a job that also reads from these buckets."""
    return document({**CONTAINER, **read_from(buckets)}, place)


def read_from(buckets: Collection[str]) -> Mapping[str, Grant]:
    """What lets somebody read what lies in these buckets."""
    if not buckets:
        return {}
    inside = tuple(f"arn:aws:s3:::{each}/*" for each in buckets)
    return {
        "Data": Grant(tuple(f"arn:aws:s3:::{each}" for each in buckets), ("s3:ListBucket",)),
        "DataInside": Grant(inside, ("s3:GetObject",)),
    }


def trust(_place: Place) -> Document:
    """Who may take that role."""
    return TRUST


DOCUMENTS = {"person": person, "admin": admin, "role": role, "trust": trust}


def main() -> None:
    """Print one."""
    parser = argparse.ArgumentParser(prog="python -m deployment.policy")
    parser.add_argument("document", choices=DOCUMENTS)
    parser.add_argument("--region", default=Place.region)
    parser.add_argument("--account", default=Place.account)
    parser.add_argument("--role", default=Place.role, help="the name of the container's role")
    parser.add_argument("--bucket", default=Place.bucket, help="default: %(default)s")
    chosen = parser.parse_args()
    place = Place(chosen.region, chosen.account, chosen.role, chosen.bucket)
    sys.stdout.write(f"{json.dumps(DOCUMENTS[chosen.document](place), indent=2)}\n")


if __name__ == "__main__":
    main()
