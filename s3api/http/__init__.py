"""HTTP as S3 uses it: requests, targets, bodies, conditions, checksums.

Knows no identity and no operation: what a signature verifies is injected from above.
"""
