-- Which log they were made from.
CREATE TABLE IF NOT EXISTS meta (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS checkpoints (
    model    TEXT    NOT NULL,
    version  INTEGER NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (model, version)
) STRICT, WITHOUT ROWID;

-- What was made for a model, so that it can be dropped by a program that no longer knows its shape.
CREATE TABLE IF NOT EXISTS model_tables (
    name      TEXT PRIMARY KEY,
    view_name TEXT NOT NULL,
    model     TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS process_instances (
    process  TEXT NOT NULL,
    instance TEXT NOT NULL,
    doc      BLOB NOT NULL,
    PRIMARY KEY (process, instance)
) STRICT;

CREATE TABLE IF NOT EXISTS process_checkpoints (
    process  TEXT PRIMARY KEY,
    position INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
