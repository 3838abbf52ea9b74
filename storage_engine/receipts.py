"""Receipts: how a client that missed a reply may ask again, and have nothing done twice.

A request that bears a token is carried out once: its receipt is written in the same commit and
kept long enough for every retry, then housekeeping forgets it. What the token and the request are
digests of is the caller's business.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from storage_engine import keys
from storage_engine.errors import TokenReused
from storage_engine.limits import RECEIPT_MS

if TYPE_CHECKING:
    from storage_engine.transaction import Transaction
    from storage_engine.values import Receipt


def is_repeated(transaction: Transaction, receipt: Receipt | None) -> bool:
    """Tell whether this very request was carried out before; TokenReused when another was."""
    if receipt is None:
        return False
    held = transaction.get(transaction.tables.meta, keys.receipt(receipt.token))
    if held is not None and held != receipt.request:
        raise TokenReused
    return held is not None


def keep(transaction: Transaction, receipt: Receipt | None) -> None:
    """Remember that the request is carried out by this commit."""
    if receipt is None:
        return
    tables = transaction.tables
    transaction.put(tables.meta, keys.receipt(receipt.token), receipt.request)
    due = keys.due(transaction.now_ms + RECEIPT_MS, keys.Due.RECEIPT, receipt.token)
    transaction.put(tables.due, due, b"")


def forget(transaction: Transaction, token: bytes) -> None:
    """Forget a receipt; its row among what is due is the caller's."""
    transaction.delete(transaction.tables.meta, keys.receipt(token))
