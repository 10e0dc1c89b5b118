"""`carillon receipts`: the receipt stream on an analyst's machine, as lines or files."""
