CREATE TABLE mail_counts (
    key BLOB PRIMARY KEY,
    ends_at INTEGER NOT NULL,
    mails INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX mail_counts_ended ON mail_counts (ends_at);
