//! Merges another store of the same shop into the store of a folder. Use a merge if the shop continued with
//! a new key file, and the missing file was found later.
//!
//! An erasure in one of the files applies to the merged store. If a person has a different key in each file,
//! the folder's key stays. The merge also copies aliases, and links from names to people. The copy may
//! bring back an alias that an erasure had deleted. So all erasures of customers are marked as not finished,
//! and a sweep completes them again.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior};
use souk_eventsourcing::Person;

use crate::open::{self, OpenError};
use crate::write::truncate_wal;
use crate::{MasterKey, PERSON_KEYS_FILE};

/// Number of keys in one page.
const PAGE_ROWS: usize = 1_000;

/// Result of a merge, as numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Merged {
    /// Keys that were added to the folder's store.
    pub keys: u64,
    /// Erasures that were added to the folder's store.
    pub erasures: u64,
    /// People with a different key in each file. Values that are sealed with the other file's key stay
    /// unreadable.
    pub others: u64,
}

/// Adds the keys, erasures, aliases and links of the file `from` to the store of a folder, in one
/// transaction. Both files must have the same master key. The caller must hold the lock of the folder, and no
/// program may have `from` open.
pub fn merge(folder: &Path, master: &MasterKey, from: &Path) -> Result<Merged, OpenError> {
    let path = folder.join(PERSON_KEYS_FILE);
    let failed = |error: rusqlite::Error| OpenError::of_sqlite(&path, &error);
    let other = open::for_merging(from, master)?;
    let mut connection = open::for_writing(&path, master)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    let mut merged =
        Merged { erasures: add_erasures(&transaction, &other).map_err(failed)?, ..Merged::default() };
    let mut after = String::new();
    loop {
        let page = page(&other, &after).map_err(failed)?;
        let Some(Row { person, .. }) = page.last() else { break };
        after.clone_from(person);
        for row in page {
            match add_key(&transaction, master, &row).map_err(failed)? {
                MergedKey::Added => merged.keys += 1,
                MergedKey::NotNeeded => {}
                MergedKey::Different => merged.others += 1,
            }
        }
    }
    if open::has_index(&other).map_err(failed)? {
        add_index(&transaction, &other).map_err(failed)?;
    }
    transaction.commit().map_err(failed)?;
    let unusable = |reason: String| OpenError::Unusable { path: path.clone(), reason };
    truncate_wal(&connection).map_err(|error| unusable(error.to_string()))?;
    Ok(merged)
}

/// A row of the table `person_keys`.
struct Row {
    person: String,
    master: String,
    wrapped: Vec<u8>,
    made_at: i64,
}

fn page(connection: &Connection, after: &str) -> rusqlite::Result<Vec<Row>> {
    let sql =
        "SELECT person, master, wrapped, made_at FROM person_keys WHERE person > ?1 ORDER BY person LIMIT ?2";
    let mut select = connection.prepare_cached(sql)?;
    let rows = select.query_map((after, PAGE_ROWS), |row| {
        Ok(Row { person: row.get(0)?, master: row.get(1)?, wrapped: row.get(2)?, made_at: row.get(3)? })
    })?;
    rows.collect()
}

/// Result of merging one key.
enum MergedKey {
    Added,
    /// The store has the same key, or the person is erased.
    NotNeeded,
    /// The store has a different key of this person.
    Different,
}

fn add_key(transaction: &Transaction<'_>, master: &MasterKey, row: &Row) -> rusqlite::Result<MergedKey> {
    let sql = "INSERT INTO person_keys SELECT ?1, ?2, ?3, ?4 \
               WHERE NOT EXISTS (SELECT 1 FROM erased WHERE person = ?1) ON CONFLICT (person) DO NOTHING";
    let values = (&row.person, &row.master, &row.wrapped, row.made_at);
    if transaction.prepare_cached(sql)?.execute(values)? > 0 {
        return Ok(MergedKey::Added);
    }
    let person = Person::parse(&row.person);
    let mut select = transaction.prepare_cached("SELECT wrapped FROM person_keys WHERE person = ?1")?;
    let own: Option<Vec<u8>> = select.query_row([&row.person], |row| row.get(0)).optional()?;
    let Some(own) = own else { return Ok(MergedKey::NotNeeded) };
    let is_same = match (master.unwrap(&person, &own), master.unwrap(&person, &row.wrapped)) {
        (Some(own), Some(other)) => own.bytes() == other.bytes(),
        _ => false,
    };
    Ok(if is_same { MergedKey::NotNeeded } else { MergedKey::Different })
}

/// Adds the erasures of the other file, and deletes the keys and links of the erased people. Returns the
/// number of new erasures.
fn add_erasures(transaction: &Transaction<'_>, other: &Connection) -> rusqlite::Result<u64> {
    let mut select = other.prepare("SELECT person, erased_at FROM erased")?;
    let mut rows = select.query([])?;
    let mut count = 0;
    while let Some(row) = rows.next()? {
        let person: String = row.get(0)?;
        let erased_at: i64 = row.get(1)?;
        let sql = "INSERT INTO erased VALUES (?1, ?2, 0) ON CONFLICT (person) DO NOTHING";
        if transaction.prepare_cached(sql)?.execute((&person, erased_at))? == 0 {
            continue;
        }
        count += 1;
        for sql in ["DELETE FROM person_keys WHERE person = ?1", "DELETE FROM links WHERE person = ?1"] {
            transaction.prepare_cached(sql)?.execute([&person])?;
        }
    }
    Ok(count)
}

/// Adds the aliases of names that have none, and the links of people who are not erased. Marks all erasures
/// of customers as not finished.
fn add_index(transaction: &Transaction<'_>, other: &Connection) -> rusqlite::Result<()> {
    let copy = |select: &str, insert: &str| -> rusqlite::Result<()> {
        let mut statement = other.prepare(select)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let values: (String, String) = (row.get(0)?, row.get(1)?);
            transaction.prepare_cached(insert)?.execute(values)?;
        }
        Ok(())
    };
    copy("SELECT name, alias FROM aliases", "INSERT OR IGNORE INTO aliases VALUES (?1, ?2)")?;
    let link =
        "INSERT OR IGNORE INTO links SELECT ?1, ?2 WHERE NOT EXISTS (SELECT 1 FROM erased WHERE person = ?2)";
    copy("SELECT name, person FROM links", link)?;
    let mark_unfinished =
        "UPDATE erased SET is_settled = 0 WHERE person >= 'customer:' AND person < 'customer;'";
    transaction.execute(mark_unfinished, []).map(drop)
}

#[cfg(test)]
mod tests {
    use souk_eventsourcing::testkit::noon;
    use souk_eventsourcing::{PersonIndex as _, PersonKeys as _};

    use super::*;
    use crate::SqlitePersonKeys;

    fn master(digits: &str) -> MasterKey {
        MasterKey::parse(&digits.repeat(32)).unwrap()
    }

    /// Creates a store with a key for each of these people. Returns its folder and the bytes of the keys.
    async fn store_of(people: &[&Person]) -> (tempfile::TempDir, Vec<[u8; 32]>) {
        let folder = tempfile::tempdir().unwrap();
        let store = SqlitePersonKeys::open(folder.path(), master("5a")).unwrap();
        let ring =
            store.keys_for_sealing(people.iter().map(|person| (*person).clone()).collect()).await.unwrap();
        let keys = people.iter().map(|person| *ring.get(person).unwrap().bytes()).collect();
        (folder, keys)
    }

    #[tokio::test]
    async fn a_merge_adds_missing_keys_and_applies_the_erasures_of_both_files() {
        let [ada, bob, erased_here, erased_there, new] =
            ["ada", "bob", "erased-here", "erased-there", "new"].map(|name| Person::new("customer", name));
        let guest = Person::new("order", "guest");
        let (other_folder, keys) = store_of(&[&ada, &bob, &erased_here, &erased_there, &guest]).await;
        let other_store = SqlitePersonKeys::open(other_folder.path(), master("5a")).unwrap();
        other_store.make_alias("a name").await.unwrap();
        other_store
            .link(vec![(guest.clone(), "a name".into()), (erased_here.clone(), "a name".into())])
            .await
            .unwrap();
        other_store.erase(&erased_there, noon()).await.unwrap();
        let alias = other_store.alias_of("a name").await.unwrap();
        drop(other_store);
        let (folder, _) = store_of(&[&bob, &erased_there, &new]).await;
        let store = SqlitePersonKeys::open(folder.path(), master("5a")).unwrap();
        store.erase(&erased_here, noon()).await.unwrap();
        store.complete_erasure(&erased_here).await.unwrap();
        let kept = store.keys_for_opening(vec![bob.clone(), new.clone()]).await.unwrap();
        drop(store);

        let from = other_folder.path().join(PERSON_KEYS_FILE);
        let merged = merge(folder.path(), &master("5a"), &from).unwrap();
        assert_eq!(merged, Merged { keys: 2, erasures: 1, others: 1 });
        let again = merge(folder.path(), &master("5a"), &from).unwrap();
        assert_eq!(again, Merged { keys: 0, erasures: 0, others: 1 });
        let store = SqlitePersonKeys::open(folder.path(), master("5a")).unwrap();
        let people = [&ada, &bob, &erased_here, &erased_there, &new, &guest].map(Person::clone);
        let ring = store.keys_for_opening(people.to_vec()).await.unwrap();
        let bytes = |person: &Person| ring.get(person).map(|key| *key.bytes());
        assert_eq!((bytes(&ada), bytes(&guest)), (Some(keys[0]), Some(keys[4])));
        for own in [&bob, &new] {
            assert_eq!(bytes(own), kept.get(own).map(|key| *key.bytes()), "{own}");
        }
        assert_eq!((bytes(&erased_here), bytes(&erased_there)), (None, None));
        assert_eq!(
            store.incomplete_erasures(9).await.unwrap().len(),
            2,
            "the erasures of both customers must be completed again"
        );
        assert_eq!(store.alias_of("a name").await.unwrap(), alias);
        let linked = store.linked_after(None, 9).await.unwrap();
        assert_eq!(linked.iter().map(|linked| &linked.person).collect::<Vec<_>>(), [&guest]);
    }

    #[tokio::test]
    async fn a_merge_from_an_unusable_file_is_refused_and_changes_nothing() {
        let ada = Person::new("customer", "ada");
        let (folder, keys) = store_of(&[&ada]).await;
        let elsewhere = tempfile::tempdir().unwrap();
        drop(SqlitePersonKeys::open(elsewhere.path(), master("a5")).unwrap());
        let foreign = elsewhere.path().join("foreign");
        std::fs::write(&foreign, "not a database").unwrap();
        let merge_from = |path: &Path| merge(folder.path(), &master("5a"), path);
        let wrong_master = merge_from(&elsewhere.path().join(PERSON_KEYS_FILE));
        assert!(matches!(wrong_master, Err(OpenError::WrongMaster { .. })));
        assert!(matches!(merge_from(&foreign), Err(OpenError::Unusable { .. })));
        let absent = elsewhere.path().join("absent");
        assert!(matches!(merge_from(&absent), Err(OpenError::Unusable { .. })) && !absent.exists());
        let store = SqlitePersonKeys::open(folder.path(), master("5a")).unwrap();
        let ring = store.keys_for_opening(vec![ada.clone()]).await.unwrap();
        assert_eq!(ring.get(&ada).map(|key| *key.bytes()), Some(keys[0]));
    }
}
