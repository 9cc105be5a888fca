CREATE TABLE passwords (person TEXT PRIMARY KEY, hash TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE families (
    id BLOB PRIMARY KEY,
    person TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    revoked_at INTEGER,
    version INTEGER NOT NULL,
    doc TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX families_of_person ON families (person);
CREATE INDEX families_expired ON families (expires_at);
CREATE INDEX families_revoked ON families (revoked_at) WHERE revoked_at IS NOT NULL;
CREATE TABLE one_time_tokens (
    hash BLOB PRIMARY KEY,
    person TEXT NOT NULL,
    purpose TEXT NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX one_time_tokens_of_person ON one_time_tokens (person, purpose);
CREATE INDEX one_time_tokens_expired ON one_time_tokens (expires_at);
CREATE TABLE sign_ins (
    id BLOB PRIMARY KEY,
    at INTEGER NOT NULL,
    person TEXT,
    email_hash TEXT,
    kind TEXT NOT NULL,
    address TEXT,
    user_agent TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX sign_ins_of_person ON sign_ins (person, id);
CREATE INDEX sign_ins_of_email ON sign_ins (email_hash);
CREATE INDEX sign_ins_old ON sign_ins (at);
