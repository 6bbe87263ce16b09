"""The loop: gather what is seen of a run, let `domain` decide, carry it out. Nothing here depends on a single event."""
