"""The outbox: letters written in the transaction that causes them, delivered afterwards."""
