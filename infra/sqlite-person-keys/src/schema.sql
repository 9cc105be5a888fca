CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
-- `wrapped` is the key of the person, encrypted with the master key whose id is in `master`.
CREATE TABLE person_keys (
    person TEXT PRIMARY KEY,
    master TEXT NOT NULL,
    wrapped BLOB NOT NULL,
    made_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE erased (
    person TEXT PRIMARY KEY,
    erased_at INTEGER NOT NULL,
    is_settled INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX erased_unsettled ON erased (erased_at) WHERE is_settled = 0;
