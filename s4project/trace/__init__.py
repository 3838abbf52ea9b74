"""The live trace: requests to S3, of all workers, told to SuperUsers while they end.

`events` says what is told of a request, `watches` brings it from the workers to who watches,
`pages` to his browser. While nobody watches, no request knows of it.
"""
