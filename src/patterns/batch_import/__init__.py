"""Import a large S3 object in batches, adding each batch exactly once despite crashes."""
