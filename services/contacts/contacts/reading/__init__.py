"""Reads what people upload: encodings, separators, rows, headers, cells. Pure but for `spreadsheet`, a process."""
