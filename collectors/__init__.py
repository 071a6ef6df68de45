"""The doors in: bytes to spans to `Store.record`. Knows nothing of the business."""
