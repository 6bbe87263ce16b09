"""Object detection on ultralytics' YOLO family, offline, with every value of the spec applied as written."""
