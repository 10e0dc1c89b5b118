"""The receipt stream as rows and files, for analysts: read from the broker, written as NDJSON, CSV or Parquet."""
