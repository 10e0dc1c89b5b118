"""The shared language: every event that crosses RabbitMQ, one file a subject.

An event is a batch: one RabbitMQ message whose body is a JSON array of 1 to 500 records of one type (see `codec`).
`catalogue` lists every event with who says it and who listens.
"""
