"""What is measured against the peers, one command each: `make bench`."""
