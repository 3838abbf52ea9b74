"""Sections of a bucket's page that speak S3's own documents: a form, and the document beside it.

Whatever they set, the operations of S3 set, for who is signed in: with their rules, their refusals
and their audit.
"""
