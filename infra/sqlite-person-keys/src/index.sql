-- Names by which people are found, such as keyed hashes of e-mail addresses; the log holds the alias alone.
CREATE TABLE aliases (name TEXT PRIMARY KEY, alias TEXT NOT NULL UNIQUE) STRICT, WITHOUT ROWID;
CREATE TABLE links (
    name TEXT NOT NULL,
    person TEXT NOT NULL,
    PRIMARY KEY (name, person)
) STRICT, WITHOUT ROWID;
CREATE INDEX links_of_person ON links (person);
