"""What an account needs once: a bucket, a repository, the container's role, a policy for people."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from deployment import names, policy
from deployment.plan import images
from deployment.plan.calls import Call, Look, Make, Plan, Remove, Step
from deployment.plan.models import make_bucket

POLICY = "serve"
"""The name of the container's policy within its role."""


@dataclass(frozen=True)
class Account:
    """What it is called, and where; `images` counts those that are kept, None all of them."""

    number: str
    region: str
    name: str = "plumbline"
    bucket: str = ""
    images: int | None = None
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def partition(self) -> str:
        """AWS's part of the world, as ARNs name it."""
        return {"cn": "aws-cn", "us-gov": "aws-us-gov"}.get(
            next((each for each in ("cn", "us-gov") if self.region.startswith(f"{each}-")), ""),
            "aws",
        )

    @property
    def role(self) -> str:
        """The role's ARN, which --role takes."""
        return f"arn:{self.partition}:iam::{self.number}:role/{self.name}"

    @property
    def person(self) -> str:
        """The ARN of the policy for people."""
        return f"arn:{self.partition}:iam::{self.number}:policy/{self.name}-deploy"

    @property
    def store(self) -> str:
        """The bucket."""
        return self.bucket or names.default_bucket(self.region, self.number)

    @property
    def place(self) -> policy.Place:
        """For whom the policies are."""
        return policy.Place(self.region, self.number, self.name, self.bucket or policy.Place.bucket)


def plan_account(wanted: Account) -> Plan:
    """Bucket, repository, role, policy: in this order; what is there stays."""
    cost = "The bucket and the repository are billed by what lies in them, the rest costs nothing."
    steps = (*bucket_steps(wanted), *repository_steps(wanted), *role_steps(wanted))
    return Plan(wanted.name, wanted.region, steps, (cost,))


def tags(wanted: Account) -> names.Tags:
    """The tags of all of it."""
    return names.tags(wanted.name, wanted.tags)


def bucket_steps(wanted: Account) -> Iterator[Make]:
    """The bucket, which nobody outside sees."""
    shut = dict.fromkeys(
        ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True
    )
    place = {"Bucket": wanted.store, "ExpectedBucketOwner": wanted.number}
    yield make_bucket(wanted.store, wanted.region, wanted.number)
    yield Make(
        f"tags of bucket {wanted.store}",
        Call("s3", "PutBucketTagging", {**place, "Tagging": {"TagSet": tags(wanted)}}),
        Look(Call("s3", "GetBucketTagging", place)),
        doing="Setting",
    )
    yield Make(
        f"lock of bucket {wanted.store}",
        Call("s3", "PutPublicAccessBlock", {**place, "PublicAccessBlockConfiguration": shut}),
        Look(Call("s3", "GetPublicAccessBlock", place), "PublicAccessBlockConfiguration"),
        expected=shut,
        again=True,
        doing="Setting",
    )


def repository_steps(wanted: Account) -> Iterator[Make]:
    """The repository, and which of its images go."""
    yield images.make_repository(wanted.name, tags(wanted))
    yield images.make_rule(wanted.name, wanted.images)


def role_steps(wanted: Account) -> Iterator[Make]:
    """The container's role with its policy, and the policy for people."""
    named = {"RoleName": wanted.name}
    trust = json.dumps(policy.trust(wanted.place))
    yield Make(
        f"role {wanted.name}",
        Call(
            "iam",
            "CreateRole",
            {**named, "AssumeRolePolicyDocument": trust, "Tags": tags(wanted)},
        ),
        Look(Call("iam", "GetRole", named), "Role"),
    )
    serving = policy.role(wanted.place)
    inline = {**named, "PolicyName": POLICY}
    yield Make(
        f"policy {POLICY} of role {wanted.name}",
        Call("iam", "PutRolePolicy", {**inline, "PolicyDocument": json.dumps(serving)}),
        Look(Call("iam", "GetRolePolicy", inline), "{PolicyDocument: PolicyDocument}"),
        expected={"PolicyDocument": serving},
        again=True,
        doing="Setting",
    )
    document = json.dumps(policy.person(wanted.place), separators=(",", ":"))
    made = {"PolicyName": f"{wanted.name}-deploy", "PolicyDocument": document}
    yield Make(
        f"policy {wanted.name}-deploy",
        Call("iam", "CreatePolicy", {**made, "Tags": tags(wanted)}),
        Look(Call("iam", "GetPolicy", {"PolicyArn": wanted.person}), "Policy"),
    )


# -- away with it ---------------------------------------------------------------------------------


def plan_removal(wanted: Account) -> Plan:
    """Role and policies; the repository and the bucket go only where they are empty."""
    named = {"RoleName": wanted.name}
    steps: tuple[Step, ...] = (
        Remove(
            f"policy {POLICY} of role {wanted.name}",
            Call("iam", "DeleteRolePolicy", {**named, "PolicyName": POLICY}),
        ),
        Remove(f"role {wanted.name}", Call("iam", "DeleteRole", named)),
        Remove(
            f"policy {wanted.name}-deploy",
            Call("iam", "DeletePolicy", {"PolicyArn": wanted.person}),
        ),
        Remove(
            f"repository {wanted.name}",
            Call("ecr", "DeleteRepository", {"repositoryName": wanted.name}),
        ),
        Remove(
            f"bucket {wanted.store}",
            Call(
                "s3",
                "DeleteBucket",
                {"Bucket": wanted.store, "ExpectedBucketOwner": wanted.number},
            ),
        ),
    )
    return Plan(wanted.name, wanted.region, steps, ("Nothing of it is billed afterwards.",))
