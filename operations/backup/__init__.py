"""Backup of a stack into one file, and its restoration: two databases and two S3 buckets."""
