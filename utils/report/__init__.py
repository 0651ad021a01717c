"""Files of a run to look at: figures, a page, the history of its errors."""
