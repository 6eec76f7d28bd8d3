"""Import a big S3 object in batches: each one once, whatever dies in between."""
