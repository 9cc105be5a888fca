CREATE TABLE IF NOT EXISTS checkpoints (
    model    TEXT    NOT NULL,
    version  INTEGER NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (model, version)
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
