"""Readers, vocabularies, splits and batches. Only `batches` imports torch."""
