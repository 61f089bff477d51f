"""Alembic's script folder; run by `store.migrate`, never from a command line (so there is no env.py)."""
