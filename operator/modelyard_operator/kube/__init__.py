"""Reading from and writing to the API server: a thin typed client, and what its objects mean to `domain`."""
