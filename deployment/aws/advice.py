"""AWS's words for a refusal that has no code of its own → what to do."""

from __future__ import annotations

ADVICE: tuple[tuple[str, str], ...] = (
    (
        r"image .*(not found|does not exist)|repository .* does not exist",
        "Push it with ./build_and_push.sh, which prints the URI to take.",
    ),
    (
        r"cross-account pass role|assume (the )?role|role .*(invalid|not authorized)",
        (
            "The role must be of this account, and one that sagemaker.amazonaws.com may assume: "
            "in its trust policy, that service is the principal of sts:AssumeRole."
        ),
    ),
    (
        (
            r"S3 ?Uri .*not found|no S3 objects"
            r"|(bucket|location) .*(different|another|other|expected) .*region"
            r"|bucket .*region.*expect"
        ),
        (
            "The data must be in this region, and the role of --role must be allowed to read it "
            "(s3:GetObject, s3:ListBucket)."
        ),
    ),
    (
        r"could not (access|find) model data|no objects? .*found|ModelDataUrl",
        (
            "The role of --role must be allowed to read the archive (s3:GetObject), and the "
            "bucket must be in this region."
        ),
    ),
    (
        r"manifest media type|unsupported .*media type",
        (
            "SageMaker takes Docker's own manifests: build with ./build_and_push.sh, which asks "
            "for them."
        ),
    ),
)
"""What to do, by AWS's words."""
