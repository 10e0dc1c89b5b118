"""Price lists: kept, read from and written as CSV, and said to whoever has to know a price."""
