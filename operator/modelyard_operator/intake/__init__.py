"""Hearing the trainers: an HTTPS server that believes a report only as far as its token proves who sent it."""
