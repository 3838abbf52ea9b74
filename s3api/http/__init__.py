"""HTTP as S3 uses it: requests, targets, bodies, conditions. Knows no identity and no operation."""
