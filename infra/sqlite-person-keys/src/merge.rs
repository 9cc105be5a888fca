//! Keys from another file of the same shop: those that the store of a folder lacks, as after a shop went on without its
//! keys and the right file turned up later.
//!
//! An erasure of either file holds. A person who has another key in each file keeps the one of the folder. Aliases
//! come along with the links, so erasures of customers are listed as not told everywhere once more: what they delete
//! beside their key may have come back.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior};
use souk_eventsourcing::Person;

use crate::open::{self, OpenError};
use crate::write::truncate_wal;
use crate::{MasterKey, PERSON_KEYS_FILE};

/// Keys that are read at once.
const PAGE_ROWS: usize = 1_000;

/// What a merge did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Merged {
    /// Keys that the folder lacked.
    pub keys: u64,
    /// Erasures that the folder did not know.
    pub erasures: u64,
    /// People who have another key in each file: what is sealed under the key of the other file stays closed.
    pub others: u64,
}

/// Takes the keys of a file into a folder's store, in one transaction or not at all. Both are wrapped by the same
/// master key. The caller holds the folder, and nothing has the file open.
pub fn merge(folder: &Path, master: &MasterKey, from: &Path) -> Result<Merged, OpenError> {
    let path = folder.join(PERSON_KEYS_FILE);
    let failed = |error: rusqlite::Error| OpenError::of_sqlite(&path, &error);
    let other = open::for_merging(from, master)?;
    let mut connection = open::for_writing(&path, master)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    let mut merged =
        Merged { erasures: take_erasures(&transaction, &other).map_err(failed)?, ..Merged::default() };
    let mut after = String::new();
    loop {
        let page = page(&other, &after).map_err(failed)?;
        let Some(Row { person, .. }) = page.last() else { break };
        after.clone_from(person);
        for row in page {
            match take_key(&transaction, master, &row).map_err(failed)? {
                Taken::Key => merged.keys += 1,
                Taken::Nothing => {}
                Taken::Other => merged.others += 1,
            }
        }
    }
    if open::has_index(&other).map_err(failed)? {
        take_index(&transaction, &other).map_err(failed)?;
    }
    transaction.commit().map_err(failed)?;
    let unusable = |reason: String| OpenError::Unusable { path: path.clone(), reason };
    truncate_wal(&connection).map_err(|error| unusable(error.to_string()))?;
    Ok(merged)
}

/// A wrapped key.
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

enum Taken {
    Key,
    Nothing,
    Other,
}

fn take_key(transaction: &Transaction<'_>, master: &MasterKey, row: &Row) -> rusqlite::Result<Taken> {
    let sql = "INSERT INTO person_keys SELECT ?1, ?2, ?3, ?4 \
               WHERE NOT EXISTS (SELECT 1 FROM erased WHERE person = ?1) ON CONFLICT (person) DO NOTHING";
    let values = (&row.person, &row.master, &row.wrapped, row.made_at);
    if transaction.prepare_cached(sql)?.execute(values)? > 0 {
        return Ok(Taken::Key);
    }
    let person = Person::parse(&row.person);
    let mut select = transaction.prepare_cached("SELECT wrapped FROM person_keys WHERE person = ?1")?;
    let own: Option<Vec<u8>> = select.query_row([&row.person], |row| row.get(0)).optional()?;
    let Some(own) = own else { return Ok(Taken::Nothing) };
    let is_same = match (master.unwrap(&person, &own), master.unwrap(&person, &row.wrapped)) {
        (Some(own), Some(other)) => own.bytes() == other.bytes(),
        _ => false,
    };
    Ok(if is_same { Taken::Nothing } else { Taken::Other })
}

/// Takes in erasures, and destroys the keys and links of those people. Returns how many were new.
fn take_erasures(transaction: &Transaction<'_>, other: &Connection) -> rusqlite::Result<u64> {
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

/// Takes in aliases of names that the folder does not know, and links of people who are not erased.
fn take_index(transaction: &Transaction<'_>, other: &Connection) -> rusqlite::Result<()> {
    let take = |from: &str, to: &str| -> rusqlite::Result<()> {
        let mut select = other.prepare(from)?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            let values: (String, String) = (row.get(0)?, row.get(1)?);
            transaction.prepare_cached(to)?.execute(values)?;
        }
        Ok(())
    };
    take("SELECT name, alias FROM aliases", "INSERT OR IGNORE INTO aliases VALUES (?1, ?2)")?;
    let link =
        "INSERT OR IGNORE INTO links SELECT ?1, ?2 WHERE NOT EXISTS (SELECT 1 FROM erased WHERE person = ?2)";
    take("SELECT name, person FROM links", link)?;
    let again = "UPDATE erased SET is_settled = 0 WHERE person >= 'customer:' AND person < 'customer;'";
    transaction.execute(again, []).map(drop)
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

    /// A store with a key for each of these people, and the bytes of the keys.
    async fn store_of(people: &[&Person]) -> (tempfile::TempDir, Vec<[u8; 32]>) {
        let folder = tempfile::tempdir().unwrap();
        let store = SqlitePersonKeys::open(folder.path(), master("5a")).unwrap();
        let ring = store.to_seal(people.iter().map(|person| (*person).clone()).collect()).await.unwrap();
        let keys = people.iter().map(|person| *ring.get(person).unwrap().bytes()).collect();
        (folder, keys)
    }

    #[tokio::test]
    async fn keys_that_a_store_lacks_come_and_erasures_of_both_files_hold() {
        let [ada, bob, gone, left, new] =
            ["ada", "bob", "gone", "left", "new"].map(|name| Person::new("customer", name));
        let guest = Person::new("order", "guest");
        let (right, keys) = store_of(&[&ada, &bob, &gone, &left, &guest]).await;
        let older = SqlitePersonKeys::open(right.path(), master("5a")).unwrap();
        older.make_alias("a name").await.unwrap();
        older.link(vec![(guest.clone(), "a name".into()), (gone.clone(), "a name".into())]).await.unwrap();
        older.erase(&left, noon()).await.unwrap();
        let alias = older.alias_of("a name").await.unwrap();
        drop(older);
        let (folder, _) = store_of(&[&bob, &left, &new]).await;
        let store = SqlitePersonKeys::open(folder.path(), master("5a")).unwrap();
        store.erase(&gone, noon()).await.unwrap();
        store.settle(&gone).await.unwrap();
        let kept = store.to_open(vec![bob.clone(), new.clone()]).await.unwrap();
        drop(store);

        let from = right.path().join(PERSON_KEYS_FILE);
        let merged = merge(folder.path(), &master("5a"), &from).unwrap();
        assert_eq!(merged, Merged { keys: 2, erasures: 1, others: 1 });
        let again = merge(folder.path(), &master("5a"), &from).unwrap();
        assert_eq!(again, Merged { keys: 0, erasures: 0, others: 1 });
        let store = SqlitePersonKeys::open(folder.path(), master("5a")).unwrap();
        let people = [&ada, &bob, &gone, &left, &new, &guest].map(Person::clone);
        let ring = store.to_open(people.to_vec()).await.unwrap();
        let bytes = |person: &Person| ring.get(person).map(|key| *key.bytes());
        assert_eq!((bytes(&ada), bytes(&guest)), (Some(keys[0]), Some(keys[4])));
        for own in [&bob, &new] {
            assert_eq!(bytes(own), kept.get(own).map(|key| *key.bytes()), "{own}");
        }
        assert_eq!((bytes(&gone), bytes(&left)), (None, None));
        assert_eq!(
            store.unsettled(9).await.unwrap().len(),
            2,
            "what they had beside the key is deleted again"
        );
        assert_eq!(store.alias_of("a name").await.unwrap(), alias);
        let linked = store.linked_after(None, 9).await.unwrap();
        assert_eq!(linked.iter().map(|linked| &linked.person).collect::<Vec<_>>(), [&guest]);
    }

    #[tokio::test]
    async fn a_file_that_is_no_store_of_this_master_key_is_refused_and_nothing_is_changed() {
        let ada = Person::new("customer", "ada");
        let (folder, keys) = store_of(&[&ada]).await;
        let elsewhere = tempfile::tempdir().unwrap();
        drop(SqlitePersonKeys::open(elsewhere.path(), master("a5")).unwrap());
        let foreign = elsewhere.path().join("foreign");
        std::fs::write(&foreign, "no database, by far").unwrap();
        let merge_from = |path: &Path| merge(folder.path(), &master("5a"), path);
        let wrong_master = merge_from(&elsewhere.path().join(PERSON_KEYS_FILE));
        assert!(matches!(wrong_master, Err(OpenError::WrongMaster { .. })));
        assert!(matches!(merge_from(&foreign), Err(OpenError::Unusable { .. })));
        let absent = elsewhere.path().join("absent");
        assert!(matches!(merge_from(&absent), Err(OpenError::Unusable { .. })) && !absent.exists());
        let store = SqlitePersonKeys::open(folder.path(), master("5a")).unwrap();
        let ring = store.to_open(vec![ada.clone()]).await.unwrap();
        assert_eq!(ring.get(&ada).map(|key| *key.bytes()), Some(keys[0]));
    }
}
