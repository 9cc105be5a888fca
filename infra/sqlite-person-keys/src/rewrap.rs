//! Change of the master key: wraps every key with the new master key, in one transaction. The log does not
//! change.

use std::path::Path;

use rusqlite::{Connection, Transaction, TransactionBehavior};
use souk_eventsourcing::Person;
use souk_private_files::make_file;

use crate::open::{self, OpenError};
use crate::write::truncate_wal;
use crate::{MasterKey, PERSON_KEYS_FILE};

/// Number of keys in one page.
const PAGE_ROWS: usize = 1_000;

/// Wraps all keys of the store in a folder with another master key, and returns their number. The caller must
/// hold the lock of the folder. `progress` is called with the number of wrapped keys and the total.
pub fn rewrap(
    folder: &Path,
    old: &MasterKey,
    new: &MasterKey,
    mut progress: impl FnMut(u64, u64),
) -> Result<u64, OpenError> {
    let path = folder.join(PERSON_KEYS_FILE);
    let failed = |error: rusqlite::Error| OpenError::of_sqlite(&path, &error);
    let unusable = |reason: String| OpenError::Unusable { path: path.clone(), reason };
    let mut connection = open::for_writing(&path, old)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    let sql = "SELECT count(*) FROM person_keys";
    let total: u64 = transaction.query_row(sql, [], |row| row.get(0)).map_err(failed)?;
    let mut after = String::new();
    let mut count = 0;
    loop {
        let page = page(&transaction, &after).map_err(failed)?;
        let Some((last, _)) = page.last() else { break };
        after.clone_from(last);
        for (name, wrapped) in page {
            let person = Person::parse(&name);
            let key = old.unwrap(&person, &wrapped);
            let key = key.ok_or_else(|| unusable(format!("the key of {person} is damaged")))?;
            let rewrapped = new.wrap(&person, &key).map_err(|error| unusable(error.to_string()))?;
            let sql = "UPDATE person_keys SET wrapped = ?2, master = ?3 WHERE person = ?1";
            let update = transaction.prepare_cached(sql);
            update.and_then(|mut update| update.execute((name, rewrapped, new.id()))).map_err(failed)?;
            count += 1;
        }
        progress(count, total);
    }
    transaction.execute("UPDATE meta SET value = ?1 WHERE name = 'master'", [new.id()]).map_err(failed)?;
    souk_fail_points::reach("person-keys-rewrapped");
    transaction.commit().map_err(failed)?;
    // The write-ahead log still holds keys that the old master key can unwrap.
    truncate_wal(&connection).map_err(|error| unusable(error.to_string()))?;
    Ok(count)
}

fn page(transaction: &Transaction<'_>, after: &str) -> rusqlite::Result<Vec<(String, Vec<u8>)>> {
    let sql = "SELECT person, wrapped FROM person_keys WHERE person > ?1 ORDER BY person LIMIT ?2";
    let mut statement = transaction.prepare_cached(sql)?;
    let rows = statement.query_map((after, PAGE_ROWS), |row| Ok((row.get(0)?, row.get(1)?)))?;
    rows.collect()
}

/// Returns the id of the master key that wraps the keys of a folder's store, or `None` if the folder has no
/// store.
pub fn master_id(folder: &Path) -> Result<Option<String>, OpenError> {
    let path = folder.join(PERSON_KEYS_FILE);
    if !path.exists() {
        return Ok(None);
    }
    let connection = open::for_reading(&path)?;
    id_of(&path, &connection).map(Some)
}

fn id_of(path: &Path, connection: &Connection) -> Result<String, OpenError> {
    let sql = "SELECT value FROM meta WHERE name = 'master'";
    let found = connection.query_row(sql, [], |row| row.get(0));
    found.map_err(|error| OpenError::of_sqlite(path, &error))
}

/// Copies the store of a folder into a new file that only its owner may read. The shop may be running.
pub fn back_up(folder: &Path, to: &Path) -> Result<(), OpenError> {
    let path = folder.join(PERSON_KEYS_FILE);
    let connection = open::for_reading(&path)?;
    open::check_format(&path, &connection)?;
    let unusable = |reason: String| OpenError::Unusable { path: to.to_owned(), reason };
    if to.exists() {
        return Err(unusable("it already exists".to_owned()));
    }
    make_file(to).map_err(|error| unusable(error.to_string()))?;
    let copied = connection.execute("VACUUM INTO ?1", [to.display().to_string()]);
    copied.map(drop).map_err(|error| unusable(error.to_string()))
}
