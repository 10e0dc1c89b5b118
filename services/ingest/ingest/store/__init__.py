"""What ingest keeps in MongoDB, for a day each: the ids that references and idempotency keys got."""
