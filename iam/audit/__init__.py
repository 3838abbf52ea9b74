"""The audit log beside its table: who acts, what an entry says, where it goes besides SQL.

`acting` is pure. The table's only writer is `iam.services.audit`.
"""
