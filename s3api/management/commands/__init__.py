"""The S3 side's command line verbs."""
