"""An HTTPS address for callers who can't sign requests, as a CloudFormation template.

API Gateway takes a picture and a key, a Lambda function compares the key and asks the endpoint.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from deployment import names

Document = dict[str, Any]

CODE = """\
import base64
import hmac
import os

import boto3
from botocore.config import Config

KEY = boto3.client("secretsmanager").get_secret_value(SecretId=os.environ["SECRET"])["SecretString"]
NAME = os.environ["ENDPOINT"]
WHICH = {
    key: os.environ[name]
    for key, name in (("InferenceComponentName", "COMPONENT"), ("TargetModel", "MODEL"))
    if os.environ[name]
}
MOST = int(os.environ["MOST_BYTES"])
TYPES = ("application/json", "application/jsonlines", "image/png")
asking = boto3.client(
    "sagemaker-runtime", config=Config(read_timeout=29, retries={"total_max_attempts": 1})
)


def answer(status, body, kind="text/plain; charset=utf-8"):
    whole = body if isinstance(body, bytes) else body.encode()
    return {
        "statusCode": status,
        "headers": {"content-type": kind, "x-content-type-options": "nosniff"},
        "body": base64.b64encode(whole).decode(),
        "isBase64Encoded": True,
    }


def handler(event, context):
    headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
    given = headers.get("x-api-key", "")
    if not hmac.compare_digest(given.encode(), KEY.encode()):
        return answer(401, "The header x-api-key is missing or wrong.")
    body = event.get("body") or ""
    picture = base64.b64decode(body) if event.get("isBase64Encoded") else body.encode()
    if not picture:
        return answer(400, "The body is empty: send the bytes of a picture.")
    if len(picture) > MOST:
        return answer(413, f"The picture has {len(picture)} bytes, and {MOST} are taken.")
    wanted = headers.get("accept", TYPES[0])
    try:
        found = asking.invoke_endpoint(
            EndpointName=NAME,
            Body=picture,
            ContentType="application/x-image",
            Accept=wanted if wanted in TYPES else TYPES[0],
            **WHICH,
        )
    except asking.exceptions.ModelError as error:
        status = error.response.get("OriginalStatusCode", 502)
        said = error.response.get("OriginalMessage", "")
        return answer(status, said if status < 500 else "The model could not answer.")
    except Exception as error:
        print(f"{type(error).__name__}: {error}")
        return answer(502, "The endpoint did not answer.")
    return answer(200, found["Body"].read(), found.get("ContentType", TYPES[0]))
"""
"""What the function runs: it tells a caller nothing but what the model says."""

MOST_MB = 4
"""Of a picture: Lambda takes 6 MB, in Base64."""


@dataclass(frozen=True)
class Asked:
    """What the front asks: an endpoint, and which of its models where that has to be said."""

    endpoint: str
    component: str = ""
    model: str = ""
    """The archive of a multi-model endpoint, such as cats.tar.gz."""


def template(asked: Asked, rate: int, burst: int, most_mb: int = MOST_MB) -> Document:
    """The template for one endpoint: requests a second, at once, and the size of a picture."""
    limits = {"Rate": rate, "Burst": burst, "MostBytes": most_mb * 1024**2}
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "HTTPS with a key in front of a SageMaker endpoint of Plumbline",
        "Parameters": parameters(asked, limits),
        "Resources": {
            "Key": key(),
            "FunctionRole": function_role(),
            "FunctionLog": log(names.front_log("${AWS::StackName}")),
            "Function": function(),
            **gateway(),
        },
        "Outputs": {
            "Address": {"Value": {"Fn::Sub": "${Api.ApiEndpoint}/predict"}},
            "KeySecret": {"Value": {"Ref": "Key"}},
        },
    }


def parameters(asked: Asked, limits: Mapping[str, int]) -> Document:
    """What a stack may be told."""
    numbers = {key: {"Type": "Number", "Default": value} for key, value in limits.items()}
    name = "[a-zA-Z0-9-]"
    return {
        "Endpoint": text(asked.endpoint, f"{name}{{1,63}}"),
        "Component": text(asked.component, f"{name}{{0,63}}"),
        "Model": text(asked.model, "[a-zA-Z0-9._/-]{0,255}"),
        "LogDays": {"Type": "Number", "Default": 30},
        **numbers,
    }


def text(value: str, pattern: str) -> Document:
    """A parameter that is text, by default this one."""
    return {"Type": "String", "Default": value, "AllowedPattern": pattern}


def key() -> Document:
    """The key that callers send, made by Secrets Manager: nobody has typed or seen it."""
    made = {"PasswordLength": 40, "ExcludePunctuation": True}
    return {"Type": "AWS::SecretsManager::Secret", "Properties": {"GenerateSecretString": made}}


def function_role() -> Document:
    """What the function may do: ask this endpoint, read its key, write its log."""
    home = "arn:${AWS::Partition}:sagemaker:${AWS::Region}:${AWS::AccountId}"
    asked = (f"{home}:endpoint/${{Endpoint}}", f"{home}:inference-component/${{Component}}")
    grants: list[Document] = [
        {
            "Action": "sagemaker:InvokeEndpoint",
            "Resource": [{"Fn::Sub": each} for each in asked],
        },
        {"Action": "secretsmanager:GetSecretValue", "Resource": {"Ref": "Key"}},
        {
            "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
            "Resource": {"Fn::GetAtt": ["FunctionLog", "Arn"]},
        },
    ]
    trust = {
        "Effect": "Allow",
        "Principal": {"Service": "lambda.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    document = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", **grant} for grant in grants],
    }
    return {
        "Type": "AWS::IAM::Role",
        "Properties": {
            "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [trust]},
            "Policies": [{"PolicyName": "ask", "PolicyDocument": document}],
        },
    }


def log(group: str) -> Document:
    """A log that is kept for a while."""
    return {
        "Type": "AWS::Logs::LogGroup",
        "Properties": {
            "LogGroupName": {"Fn::Sub": group},
            "RetentionInDays": {"Ref": "LogDays"},
        },
    }


def function() -> Document:
    """The function."""
    return {
        "Type": "AWS::Lambda::Function",
        "Properties": {
            "Runtime": "python3.13",
            "Architectures": ["arm64"],
            "Handler": "index.handler",
            "Code": {"ZipFile": CODE},
            "Role": {"Fn::GetAtt": ["FunctionRole", "Arn"]},
            "Timeout": 30,
            "MemorySize": 256,
            "LoggingConfig": {"LogGroup": {"Ref": "FunctionLog"}},
            "Environment": {
                "Variables": {
                    "SECRET": {"Ref": "Key"},
                    "ENDPOINT": {"Ref": "Endpoint"},
                    "COMPONENT": {"Ref": "Component"},
                    "MODEL": {"Ref": "Model"},
                    "MOST_BYTES": {"Ref": "MostBytes"},
                }
            },
        },
    }


def gateway() -> Document:
    """One route by POST, no more often than told, and who used it in a log of its own."""
    uri = "arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${Api}/*/POST/predict"
    asks = {
        "Action": "lambda:InvokeFunction",
        "FunctionName": {"Ref": "Function"},
        "Principal": "apigateway.amazonaws.com",
        "SourceArn": {"Fn::Sub": uri},
    }
    return {
        "Api": {
            "Type": "AWS::ApiGatewayV2::Api",
            "Properties": {"Name": {"Ref": "AWS::StackName"}, "ProtocolType": "HTTP"},
        },
        "AccessLog": log(f"{names.front_log('${AWS::StackName}')}/access"),
        "Permission": {"Type": "AWS::Lambda::Permission", "Properties": asks},
        **{name: of_gateway(name, properties) for name, properties in ROUTING.items()},
    }


def of_gateway(name: str, properties: Document) -> Document:
    """A part of the gateway."""
    return {
        "Type": f"AWS::ApiGatewayV2::{name}",
        "Properties": {"ApiId": {"Ref": "Api"}, **properties},
    }


LOGGED = ("requestId", "identity.sourceIp", "routeKey", "status", "responseLatency")
"""What the access log says of a request."""

ROUTING: Mapping[str, Document] = {
    "Integration": {
        "IntegrationType": "AWS_PROXY",
        "IntegrationUri": {"Fn::GetAtt": ["Function", "Arn"]},
        "PayloadFormatVersion": "2.0",
        "TimeoutInMillis": 30000,
    },
    "Route": {
        "RouteKey": "POST /predict",
        "Target": {"Fn::Sub": "integrations/${Integration}"},
    },
    "Stage": {
        "StageName": "$default",
        "AutoDeploy": True,
        "AccessLogSettings": {
            "DestinationArn": {"Fn::GetAtt": ["AccessLog", "Arn"]},
            "Format": " ".join(f"$context.{field}" for field in LOGGED),
        },
        "DefaultRouteSettings": {
            "ThrottlingRateLimit": {"Ref": "Rate"},
            "ThrottlingBurstLimit": {"Ref": "Burst"},
        },
    },
}
"""How a request gets from the address to the function."""
