"""The job behind `polling` and `event_callback`: a full load by an AWS DMS replication task."""
