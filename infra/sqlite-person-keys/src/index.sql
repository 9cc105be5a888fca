-- Names are keyed hashes, for example of e-mail addresses. The log holds only the alias of a name.
CREATE TABLE aliases (name TEXT PRIMARY KEY, alias TEXT NOT NULL UNIQUE) STRICT, WITHOUT ROWID;
CREATE TABLE links (
    name TEXT NOT NULL,
    person TEXT NOT NULL,
    PRIMARY KEY (name, person)
) STRICT, WITHOUT ROWID;
CREATE INDEX links_of_person ON links (person);
