"""The trainer: fetches a data set, trains, exports, verifies and publishes; in a pod or, all the same, on a laptop."""
