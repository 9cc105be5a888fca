-- The keyed hash of an account's e-mail address, and the alias of the address in the log. The index of people
-- also has both, but it may be lost.
CREATE TABLE email_names (name TEXT PRIMARY KEY, alias TEXT NOT NULL, person TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX email_names_of_person ON email_names (person);
