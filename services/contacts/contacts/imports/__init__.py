"""Files of contacts on their way in: upload, batches, undo, reports."""
