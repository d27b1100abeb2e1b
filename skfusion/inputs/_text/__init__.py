"""Texts as token ids and as vectors."""
