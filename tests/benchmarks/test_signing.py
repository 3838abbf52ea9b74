"""The benchmark's signer against botocore's."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

PATH = Path(__file__).resolve().parents[2] / "benchmarks" / "signing.py"


@pytest.fixture(scope="module")
def signing() -> Any:
    """Load benchmarks/signing.py, which is a program's part and no package's."""
    spec = importlib.util.spec_from_file_location("benchmarks_signing", PATH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("method", "path", "query"),
    [
        ("PUT", "/ladder/1024/32-00000001", ""),
        ("GET", "/ladder", "list-type=2&max-keys=1000&prefix=1024%2F"),
        ("HEAD", "/", ""),
    ],
)
def test_signatures_are_those_of_botocore(
    signing: Any, monkeypatch: pytest.MonkeyPatch, method: str, path: str, query: str
) -> None:
    """A request signed for the benchmark has the Authorization header that botocore gives it."""
    signer = signing.Signer("127.0.0.1:9000", "KEY", "SECRET", "us-east-1", "20261125T014500Z")
    headers = signer.sign(method, path, query)
    url = f"http://127.0.0.1:9000{path}" + (f"?{query}" if query else "")
    request = AWSRequest(method, url, {"X-Amz-Content-SHA256": "UNSIGNED-PAYLOAD"})
    request.context["timestamp"] = signer.stamp
    oracle = S3SigV4Auth(Credentials("KEY", "SECRET"), "s3", "us-east-1")
    monkeypatch.setattr(oracle, "payload", lambda _: "UNSIGNED-PAYLOAD")
    request.headers["X-Amz-Date"] = signer.stamp
    signature = oracle.signature(
        oracle.string_to_sign(request, oracle.canonical_request(request)), request
    )
    assert headers["Authorization"].endswith(f"Signature={signature}")
