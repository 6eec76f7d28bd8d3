"""The job that both ways of waiting wait for: a full load by an AWS DMS replication task."""
