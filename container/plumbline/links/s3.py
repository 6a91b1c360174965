"""Pictures from S3, with the role that the container runs under."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextlib import closing
from types import MappingProxyType
from typing import Any

from plumbline.errors import LinkFailed
from plumbline.links.limits import Bounds
from plumbline.links.policy import Link

MOST_ATTEMPTS = 2

MOST_CONNECTIONS = 64
"""More would be thrown away after use, with a warning each."""

NOT_THERE = "it is not there"

NOT_ALLOWED = "the server's role may not read it (s3:GetObject), or it is not there"

ANSWERS: Mapping[str, str] = MappingProxyType(
    {
        "NoSuchKey": NOT_THERE,
        "NoSuchBucket": "there is no such bucket",
        "AccessDenied": NOT_ALLOWED,
        "AllAccessDisabled": NOT_ALLOWED,
        "InvalidObjectState": "it is archived, and must be restored first",
        "ExpiredToken": "the server's credentials have expired",
        "InvalidAccessKeyId": "the server's credentials are not valid",
        "SignatureDoesNotMatch": "the server's credentials are not valid",
        "403": NOT_ALLOWED,
        "404": NOT_THERE,
    }
)
"""What S3's codes mean to whoever sent the link; the status where it sent none."""


class S3:
    """One client for all threads, made when the first link comes."""

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._lock = threading.Lock()
        self._client: Any = None

    def fetch(self, link: Link, bounds: Bounds) -> bytes:
        """The object behind a link. Raises `LinkFailed`, `LinkTooLarge` and `TimeoutError`."""
        from botocore.exceptions import (
            BotoCoreError,
            ClientError,
            ConnectTimeoutError,
            CredentialRetrievalError,
            NoCredentialsError,
            PartialCredentialsError,
            ReadTimeoutError,
        )

        try:
            answer = self.client().get_object(Bucket=link.host, Key=link.target[1:])
            with closing(answer["Body"]) as body:
                return bounds.collect(link, answer.get("ContentLength"), body.read)
        except ClientError as exc:
            raise failed(link, reason(exc.response)) from exc
        except (CredentialRetrievalError, NoCredentialsError, PartialCredentialsError) as exc:
            raise failed(link, "the server has no credentials; give its container a role") from exc
        except (ConnectTimeoutError, ReadTimeoutError) as exc:
            raise TimeoutError from exc
        except (BotoCoreError, OSError) as exc:
            raise failed(link, "S3 can't be reached, or ended the connection") from exc

    def client(self) -> Any:
        """The client of this process."""
        from boto3.session import Session
        from botocore.config import Config

        with self._lock:
            if self._client is None:
                self._client = Session().client(
                    "s3",
                    config=Config(
                        connect_timeout=self._timeout,
                        read_timeout=self._timeout,
                        retries={"total_max_attempts": MOST_ATTEMPTS, "mode": "standard"},
                        max_pool_connections=MOST_CONNECTIONS,
                    ),
                )
            return self._client


def reason(response: Mapping[str, Any]) -> str:
    """What an error of S3 means, in our own words."""
    status = response["ResponseMetadata"]["HTTPStatusCode"]
    return ANSWERS.get(response["Error"]["Code"], f"S3 answered with status {status}")


def failed(link: Link, why: str) -> LinkFailed:
    """The error for a link without a picture."""
    return LinkFailed(f"{link.name} can't be fetched: {why}.")
