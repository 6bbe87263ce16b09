"""S3 stores of any make."""
