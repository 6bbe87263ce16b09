"""Networks whose output is an embedding: built, looked at, measured, exported and verified, whatever the task."""
