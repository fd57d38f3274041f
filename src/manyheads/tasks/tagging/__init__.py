"""Tagging: what each word of a text is."""
