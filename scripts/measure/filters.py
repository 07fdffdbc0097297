"""The filters under test. No limit is ever reached: what is measured is the judging, not refusals."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from . import tokens
from .bootstrap import Filter, filter_of

PLENTY = 1_000_000_000
TIERS = ("free", "standard", "premium")
FIRST_PATH = "/stats/v1/attendance/summary"


def wasm(module: Path, name: str, configuration: dict[str, Any]) -> Filter:
    """A WebAssembly filter, set up as envoy/*.yaml do."""
    config = {
        "name": name,
        "failure_policy": "FAIL_RELOAD",
        "reload_config": {"backoff": {"base_interval": "0.1s", "max_interval": "1s"}},
        "allow_on_headers_stop_iteration": True,
        "vm_config": {
            "vm_id": name,
            "runtime": "envoy.wasm.runtime.v8",
            "code": {"local": {"filename": str(module)}},
        },
        "configuration": configuration,
    }
    return filter_of(name, "wasm.v3.Wasm", {"config": config})


def noop(module: Path) -> list[Filter]:
    """The filter that does nothing."""
    text = {"@type": "type.googleapis.com/google.protobuf.StringValue", "value": ""}
    return [wasm(module, "noop", text)]


def only_calls(module: Path) -> list[Filter]:
    """The filter that makes the host calls of hallpass, and does nothing else."""
    text = {"@type": "type.googleapis.com/google.protobuf.StringValue", "value": "calls"}
    return [wasm(module, "calls", text)]


def hallpass(module: Path, configuration: dict[str, Any]) -> list[Filter]:
    """hallpass alone, as Envoy's own filters stand alone."""
    value = {"@type": "type.googleapis.com/google.protobuf.Struct", "value": configuration}
    return [wasm(module, "hallpass", value)]


def guarded(module: Path, configuration: dict[str, Any]) -> list[Filter]:
    """hallpass and the guard behind it."""
    decided = {"filter_state": {"key": "wasm.hallpass.decision", "string_match": {"exact": "allow"}}}
    policy = {"permissions": [{"any": True}], "principals": [decided]}
    rules = {"action": "ALLOW", "policies": {"decided-by-hallpass": policy}}
    return [*hallpass(module, configuration), filter_of("guard", "rbac.v3.RBAC", {"rules": rules})]


def first_system(keys: dict[str, Any], **more: Any) -> dict[str, Any]:
    """hallpass for envoy/education-data-platform.yaml; `keys` is `jwks` or `secrets` of the issuer."""
    limits = [
        {"name": "minute", "requests": PLENTY, "per": "1m"},
        {"name": "day", "requests": PLENTY, "per": "day"},
    ]
    return {
        "realm": "education-data",
        "issuers": [
            {
                "issuer": tokens.ISSUER,
                "clock_skew": "0s",
                "claims": {"client": "client_id", "tier": "tier", "schools": "schools"},
                "tiers": list(TIERS),
                **keys,
            }
        ],
        "tiers": {tier: {"limits": limits, "max_cost": 100} for tier in TIERS},
        "routes": [
            {"match": {"path": "/healthz", "methods": ["GET"]}, "require": []},
            {
                "match": {"path": FIRST_PATH, "methods": ["GET"]},
                "require": ["bearer"],
                "scope": {"schools": {"query": "school_id", "missing": "refuse"}},
                "cost": 5,
            },
            {"match": {"path": "/stats/v1/", "methods": ["GET"]}, "require": ["bearer"], "cost": 1},
        ],
        "forward": {
            "schools": "x-claim-schools",
            "tier": "x-claim-tier",
            "client": "x-claim-client-id",
            # 1,000 schools take 9 kB.
            "max_schools_bytes": 16384,
        },
        "settlement_header": "x-actual-cost",
        "rate_limit_headers": "draft-11",
        **more,
    }


def envoys_own(jwks: dict[str, Any], cached: bool) -> list[Filter]:
    """jwt_authn with claims to headers, and local_ratelimit by tier and client, one limit each."""
    claims = {"x-claim-client-id": "client_id", "x-claim-tier": "tier", "x-claim-schools": "schools"}
    return [jwt_authn(tokens.ISSUER, jwks, claims, cached), _local_ratelimit()]


def jwt_authn(issuer: str, jwks: dict[str, Any], claims: dict[str, str], cached: bool) -> Filter:
    """Envoy's own check of tokens."""
    provider: dict[str, Any] = {
        "issuer": issuer,
        "local_jwks": {"inline_string": json.dumps(jwks)},
        "forward": True,
        "claim_to_headers": [{"header_name": name, "claim_name": claim} for name, claim in claims.items()],
    }
    if cached:
        # As many tokens as hallpass keeps by default.
        provider["jwt_cache_config"] = {"jwt_cache_size": 10_000}
    rules = [{"match": {"prefix": "/"}, "requires": {"provider_name": "issuer"}}]
    return filter_of("jwt", "jwt_authn.v3.JwtAuthentication", {"providers": {"issuer": provider}, "rules": rules})


def _local_ratelimit() -> Filter:
    bucket = {"max_tokens": PLENTY, "tokens_per_fill": PLENTY, "fill_interval": "60s"}
    all_of_them = {"default_value": {"numerator": 100, "denominator": "HUNDRED"}}
    config = {
        "stat_prefix": "limits",
        "token_bucket": bucket,
        "filter_enabled": all_of_them,
        "filter_enforced": all_of_them,
        # An entry without a value stands for any client: each gets a bucket of its own.
        "descriptors": [
            {"entries": [{"key": "tier", "value": tier}, {"key": "client"}], "token_bucket": bucket} for tier in TIERS
        ],
        "max_dynamic_descriptors": 20_000,
        "always_consume_default_token_bucket": False,
        "rate_limits": [
            {
                "actions": [
                    {"request_headers": {"header_name": "x-claim-tier", "descriptor_key": "tier"}},
                    {"request_headers": {"header_name": "x-claim-client-id", "descriptor_key": "client"}},
                ]
            }
        ],
    }
    return filter_of("limits", "local_ratelimit.v3.LocalRateLimit", config)


# --- the Student Data API ---


def buffer() -> Filter:
    """Holds a request until its body is whole, so that no answer overtakes it."""
    return filter_of("buffer", "buffer.v3.Buffer", {"max_request_bytes": 65536})


def students(keys_path: str, **more: Any) -> dict[str, Any]:
    """hallpass for envoy/student-data-api.yaml, with the secret in the configuration."""
    limits = [
        {"name": "rate", "requests": PLENTY, "per": "1s"},
        {"name": "day", "requests": PLENTY, "per": "day"},
    ]

    def remote(path: str) -> dict[str, Any]:
        return {"remote": {"uri": f"https://students.example.com/{path}", "cluster": "auth"}}

    return {
        "realm": "student-data",
        "errors": "student-data-api",
        "api_keys": {"header": "x-api-key", **remote(keys_path)},
        "issuers": [
            {
                "issuer": tokens.STUDENT_ISSUER,
                "secrets": [{"alg": "HS512", "text": tokens.SECRET}],
                "clock_skew": "0s",
                "max_lifetime": "24h",
                "required_claims": ["jti"],
                "claims": {
                    "client": "vendor",
                    "districts": "districts",
                    "schools": "schools",
                    "permissions": "permissions",
                },
                "revocations": remote("revocations.json"),
            }
        ],
        "tiers": {"enterprise": {"limits": limits}},
        "districts": {"1503000": ["15030001", "15030002"], "1504000": ["15040001", "15040002"]},
        "routes": [
            {
                "match": {"path": "/v1/students", "methods": ["POST"]},
                "require": ["api_key", "bearer"],
                "permissions": ["students.read"],
                "scope": {
                    "districts": {"body": "/districtlea", "missing": "allow"},
                    "schools": {"body": "/schoolleas", "missing": "allow"},
                    "require_one": True,
                },
                "body": {"max_bytes": 65536},
                "cost": {"weight": 1, "times": {"body": "/limit", "default": 25}},
            },
        ],
        "rate_limit_headers": "draft-11",
        **more,
    }


def envoys_own_for_students(count: int, cached: bool) -> list[Filter]:
    """api_key_auth and jwt_authn: no revocation, no limits, no scope."""
    config = {
        "credentials": [{"key": tokens.api_key(i), "client": tokens.client(i)} for i in range(count)],
        "key_sources": [{"header": "x-api-key"}],
        "forwarding": {"header": "x-claim-client", "hide_credentials": True},
    }
    claims = {
        "x-claim-client-id": "vendor",
        "x-claim-districts": "districts",
        "x-claim-schools": "schools",
        "x-claim-permissions": "permissions",
    }
    jwks = tokens.secret_jwks("HS512")
    return [
        filter_of("keys", "api_key_auth.v3.ApiKeyAuth", config),
        jwt_authn(tokens.STUDENT_ISSUER, jwks, claims, cached),
    ]


def key_list(count: int) -> bytes:
    """The list of keys that hallpass fetches."""
    keys = [
        {
            "id": f"key-{i:06}",
            "client": tokens.client(i),
            "tier": "enterprise",
            "sha256": hashlib.sha256(tokens.api_key(i).encode()).hexdigest(),
        }
        for i in range(count)
    ]
    return json.dumps({"version": 1, "keys": keys}).encode()
