CREATE TABLE events (
    position       INTEGER PRIMARY KEY,
    stream         TEXT    NOT NULL,
    revision       INTEGER NOT NULL,
    event_id       BLOB    NOT NULL,
    event_type     TEXT    NOT NULL,
    schema_version INTEGER NOT NULL,
    recorded_at_us INTEGER NOT NULL,
    actor          TEXT    NOT NULL,
    correlation_id TEXT    NOT NULL,
    causation_id   BLOB,
    command_id     BLOB    NOT NULL,
    request_hash   BLOB,
    content_type   TEXT    NOT NULL,
    data           BLOB    NOT NULL,
    checksum       INTEGER NOT NULL,
    reply_to       TEXT
) STRICT;
