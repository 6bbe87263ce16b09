"""What kopf is used for: watching. Every handler hands over what it saw and is done."""
