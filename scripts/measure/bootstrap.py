"""The Envoy around the filters under test, the same for all of them.

The connection manager is set as in envoy/*.yaml, without an access log. The router answers by itself
(`direct_response`): behind the filters, so that all of them see request and response, and without an upstream, whose
connection would cost more than the filters do and vary more. Requests to the host `echo.test` are answered with the
headers that an upstream would see. One proxy before Envoy is trusted, so that the load may have source addresses.

A second listener, `plain`, has no filters and answers everything with 404: what it costs to take a request and refuse it.
"""

from __future__ import annotations

from typing import Any

ECHO_HOST = "echo.test"
ECHOED = ("schools", "districts", "permissions", "client", "client-id", "tier")
MANAGER = (
    "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
)
HTTP = "type.googleapis.com/envoy.extensions.filters.http"

Filter = dict[str, Any]


def bootstrap(filters: list[Filter], address: tuple[str, int] | None = None) -> dict[str, Any]:
    """A whole configuration; `address` is the server of keys and lists, the cluster `auth`."""
    listeners = [_listener("gateway", filters, [_echo(), _answers()]), _listener("plain", [], [_refuses()])]
    resources: dict[str, Any] = {"listeners": listeners}
    if address:
        resources["clusters"] = [_cluster("auth", address)]
    return {
        "node": {"id": "bench", "cluster": "bench"},
        "admin": {"address": _address("127.0.0.1", 0)},
        "static_resources": resources,
    }


def filter_of(name: str, kind: str, config: dict[str, Any]) -> Filter:
    """An HTTP filter; `kind` is the end of its type's name."""
    return {"name": name, "typed_config": {"@type": f"{HTTP}.{kind}", **config}}


def _listener(name: str, filters: list[Filter], hosts: list[dict[str, Any]]) -> dict[str, Any]:
    manager = {"name": "envoy.filters.network.http_connection_manager", "typed_config": _manager(name, filters, hosts)}
    return {
        "name": name,
        "address": _address("127.0.0.1", 0),
        "per_connection_buffer_limit_bytes": 1 << 20,
        "filter_chains": [{"filters": [manager]}],
    }


def _manager(name: str, filters: list[Filter], hosts: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "@type": MANAGER,
        "stat_prefix": name,
        "codec_type": "AUTO",
        "use_remote_address": True,
        "xff_num_trusted_hops": 1,
        "generate_request_id": True,
        "always_set_request_id_in_response": True,
        "normalize_path": True,
        "merge_slashes": True,
        "path_with_escaped_slashes_action": "REJECT_REQUEST",
        "common_http_protocol_options": {
            "headers_with_underscores_action": "REJECT_REQUEST",
            "idle_timeout": "300s",
            "max_stream_duration": "60s",
        },
        "stream_idle_timeout": "30s",
        "request_timeout": "30s",
        "request_headers_timeout": "10s",
        "server_header_transformation": "OVERWRITE",
        # A token with 1,000 schools takes 15 kB, and Envoy's own filters forward it again.
        "max_request_headers_kb": 96,
        "http_filters": [*filters, filter_of("envoy.filters.http.router", "router.v3.Router", {})],
        "route_config": {"virtual_hosts": hosts},
    }


def _answers() -> dict[str, Any]:
    body = '{"school_id":"15030001","present":412,"absent":18,"rate":0.958}'
    reply = {"status": 200, "body": {"inline_string": body}}
    return {"name": "api", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "direct_response": reply}]}


def _refuses() -> dict[str, Any]:
    reply = {"status": 404, "body": {"inline_string": '{"error":"there is no such thing"}'}}
    return {"name": "none", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "direct_response": reply}]}


def _echo() -> dict[str, Any]:
    headers = [{"header": {"key": f"x-echo-{name}", "value": f"%REQ(x-claim-{name})%"}} for name in ECHOED]
    route = {"match": {"prefix": "/"}, "direct_response": {"status": 200}, "response_headers_to_add": headers}
    return {"name": "echo", "domains": [ECHO_HOST], "routes": [route]}


def _cluster(name: str, address: tuple[str, int]) -> dict[str, Any]:
    endpoint = {"endpoint": {"address": _address(*address)}}
    return {
        "name": name,
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]},
    }


def _address(host: str, port: int) -> dict[str, Any]:
    return {"socket_address": {"address": host, "port_value": port}}
