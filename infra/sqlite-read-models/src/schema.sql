-- The lineage of the log that the read models are made from.
CREATE TABLE IF NOT EXISTS meta (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Builds: sets of tables of a model. One build of a model is `live`, a `next` build will replace it, an
-- `until` build stays at a position, and an `old` build is being removed.
CREATE TABLE IF NOT EXISTS builds (
    number      INTEGER PRIMARY KEY AUTOINCREMENT,
    model       TEXT    NOT NULL,
    version     INTEGER NOT NULL,
    state       TEXT    NOT NULL CHECK (state IN ('live', 'next', 'until', 'old')),
    until       INTEGER,
    position    INTEGER NOT NULL,
    -- Time of the last request for a build beside the live one.
    asked_at_us INTEGER
) STRICT;

-- The tables of each build, so that a program which no longer has the model can remove them.
CREATE TABLE IF NOT EXISTS build_tables (
    name      TEXT    PRIMARY KEY,
    view_name TEXT    NOT NULL,
    build     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Parked entities. `build` is the number of a build, or the version of the rows of a process.
CREATE TABLE IF NOT EXISTS parked (
    owner    TEXT    NOT NULL,
    build    INTEGER NOT NULL,
    kind     TEXT    NOT NULL,
    entity   TEXT    NOT NULL,
    stream   TEXT    NOT NULL,
    revision INTEGER NOT NULL,
    position INTEGER NOT NULL,
    error    TEXT    NOT NULL,
    since_us INTEGER NOT NULL,
    can_skip INTEGER NOT NULL,
    PRIMARY KEY (owner, build, kind, entity)
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS parked_keys (
    owner  TEXT    NOT NULL,
    build  INTEGER NOT NULL,
    kind   TEXT    NOT NULL,
    entity TEXT    NOT NULL,
    key    TEXT    NOT NULL,
    PRIMARY KEY (owner, build, kind, entity, key)
) STRICT, WITHOUT ROWID;

-- Positions of the events that wait for a parked entity.
CREATE TABLE IF NOT EXISTS parked_events (
    owner    TEXT    NOT NULL,
    build    INTEGER NOT NULL,
    kind     TEXT    NOT NULL,
    entity   TEXT    NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (owner, build, kind, entity, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS process_instances (
    process  TEXT    NOT NULL,
    version  INTEGER NOT NULL,
    instance TEXT    NOT NULL,
    doc      BLOB    NOT NULL,
    PRIMARY KEY (process, version, instance)
) STRICT;

CREATE TABLE IF NOT EXISTS process_checkpoints (
    process  TEXT    NOT NULL,
    version  INTEGER NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (process, version)
) STRICT, WITHOUT ROWID;

-- Parked entities of live builds and of processes, with the number of waiting events.
CREATE VIEW IF NOT EXISTS parked_now AS
SELECT owner, kind, entity, stream, revision, position, error, since_us,
       (SELECT count(*)
        FROM parked_events AS waiting
        WHERE waiting.owner = parked.owner AND waiting.build = parked.build
          AND waiting.kind = parked.kind AND waiting.entity = parked.entity) AS events
FROM parked
WHERE EXISTS (SELECT 1 FROM builds WHERE model = owner AND number = build AND state = 'live')
   OR EXISTS (SELECT 1 FROM process_checkpoints WHERE process = owner AND version = build);
