use std::fs;
use std::path::PathBuf;

use souk_eventsourcing::testkit::noon;
use souk_eventsourcing::{PersonIndex as _, Position};

use super::*;

fn master() -> MasterKey {
    MasterKey::parse(&"5a".repeat(32)).unwrap()
}

fn ada() -> Person {
    Person::new("customer", "ada")
}

fn bob() -> Person {
    Person::new("order", "bob")
}

async fn key(keys: &SqlitePersonKeys, person: Person) -> Option<[u8; 32]> {
    keys.keys_for_opening(vec![person.clone()]).await.unwrap().get(&person).map(|key| *key.bytes())
}

async fn make_key(keys: &SqlitePersonKeys, person: Person) -> Option<[u8; 32]> {
    keys.keys_for_sealing(vec![person.clone()]).await.unwrap().get(&person).map(|key| *key.bytes())
}

#[tokio::test]
async fn a_key_is_made_once_and_is_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let keys = SqlitePersonKeys::open(folder.path(), master()).unwrap();
    assert_eq!(key(&keys, ada()).await, None);
    let first = make_key(&keys, ada()).await.unwrap();
    assert_eq!(make_key(&keys, ada()).await, Some(first));
    assert_ne!(make_key(&keys, bob()).await, Some(first));
    drop(keys);
    let keys = SqlitePersonKeys::open(folder.path(), master()).unwrap();
    assert_eq!(key(&keys, ada()).await, Some(first));
}

#[tokio::test]
async fn concurrent_requests_for_one_person_get_the_same_key() {
    let folder = tempfile::tempdir().unwrap();
    let keys = SqlitePersonKeys::open(folder.path(), master()).unwrap();
    let requests: Vec<_> = (0..50)
        .map(|_| {
            let keys = Arc::clone(&keys);
            tokio::spawn(async move { make_key(&keys, ada()).await })
        })
        .collect();
    let mut seen = std::collections::HashSet::new();
    for request in requests {
        seen.insert(request.await.unwrap().unwrap());
    }
    assert_eq!(seen.len(), 1);
}

#[tokio::test]
async fn an_erased_person_never_gets_a_key_again() {
    let folder = tempfile::tempdir().unwrap();
    let keys = SqlitePersonKeys::open(folder.path(), master()).unwrap();
    make_key(&keys, ada()).await.unwrap();
    make_key(&keys, bob()).await.unwrap();
    keys.erase(&ada(), noon()).await.unwrap();
    assert_eq!((key(&keys, ada()).await, make_key(&keys, ada()).await), (None, None));
    assert!(key(&keys, bob()).await.is_some());
    assert!(keys.is_erased(&ada()).await.unwrap() && !keys.is_erased(&bob()).await.unwrap());
    drop(keys);
    let keys = SqlitePersonKeys::open(folder.path(), master()).unwrap();
    assert_eq!((key(&keys, ada()).await, make_key(&keys, ada()).await), (None, None));
}

// Proves: users.erasure-completes
#[tokio::test]
async fn an_erasure_is_listed_until_all_its_steps_are_done() {
    let folder = tempfile::tempdir().unwrap();
    let keys = SqlitePersonKeys::open(folder.path(), master()).unwrap();
    keys.erase(&ada(), noon()).await.unwrap();
    keys.erase(&bob(), noon() + jiff::SignedDuration::from_secs(1)).await.unwrap();
    assert_eq!(keys.incomplete_erasures(10).await.unwrap(), [ada(), bob()]);
    assert_eq!(keys.incomplete_erasures(1).await.unwrap(), [ada()]);
    keys.complete_erasure(&ada()).await.unwrap();
    keys.erase(&ada(), noon()).await.unwrap();
    assert_eq!(keys.incomplete_erasures(10).await.unwrap(), [bob()]);
}

// Proves: users.erasure-everywhere
#[tokio::test]
async fn no_file_holds_an_erased_key() {
    let folder = tempfile::tempdir().unwrap();
    let keys = SqlitePersonKeys::open(folder.path(), master()).unwrap();
    for n in 0..200 {
        make_key(&keys, Person::new("order", &n.to_string())).await.unwrap();
    }
    make_key(&keys, ada()).await.unwrap();
    let path = folder.path().join(PERSON_KEYS_FILE);
    let wrapped: Vec<u8> = rusqlite::Connection::open(&path)
        .unwrap()
        .query_row("SELECT wrapped FROM person_keys WHERE person = 'customer:ada'", [], |row| row.get(0))
        .unwrap();
    let files_with_the_key = || {
        let files = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
        let has_key =
            |path: &PathBuf| fs::read(path).unwrap().windows(16).any(|part| part == &wrapped[8..24]);
        files.filter(has_key).count()
    };
    assert!(files_with_the_key() > 0);
    keys.erase(&ada(), noon()).await.unwrap();
    assert_eq!(files_with_the_key(), 0);
}

#[tokio::test]
async fn a_wrong_master_key_is_refused_with_the_id_of_the_right_one_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let keys = SqlitePersonKeys::open(folder.path(), master()).unwrap();
    make_key(&keys, ada()).await.unwrap();
    drop(keys);
    let other = MasterKey::parse(&"00".repeat(32)).unwrap();
    let error = SqlitePersonKeys::open(folder.path(), other).err().unwrap().to_string();
    assert!(error.contains("master-key-wrong") && error.contains(&master().id()), "{error}");
    let keys = SqlitePersonKeys::open(folder.path(), master()).unwrap();
    assert!(key(&keys, ada()).await.is_some());
}

#[test]
fn a_file_that_is_no_key_store_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(PERSON_KEYS_FILE);
    rusqlite::Connection::open(&path).unwrap().execute_batch("CREATE TABLE t (x)").unwrap();
    let error = SqlitePersonKeys::open(folder.path(), master()).err().unwrap();
    assert!(matches!(error, OpenError::Foreign { .. }), "{error}");
    fs::write(&path, "not a database").unwrap();
    let error = SqlitePersonKeys::open(folder.path(), master()).err().unwrap();
    assert!(matches!(error, OpenError::Unusable { .. }), "{error}");
}

#[test]
fn a_master_key_has_64_digits_and_is_never_printed() {
    let made = MasterKey::make().unwrap();
    assert!(MasterKey::parse(&format!("{}\n", *made)).is_ok());
    for text in ["", "5a", &"xy".repeat(32), &"é".repeat(32)] {
        let error = MasterKey::parse(text).unwrap_err().to_string();
        assert!(error.contains("64 hexadecimal digits") && (text.is_empty() || !error.contains(text)));
    }
    assert_eq!(format!("{:?}", master()), "(master key)");
}

#[tokio::test]
async fn after_a_rewrap_only_the_new_master_key_opens_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let keys = SqlitePersonKeys::open(folder.path(), master()).unwrap();
    let adas_key = make_key(&keys, ada()).await;
    let bobs_key = make_key(&keys, bob()).await;
    keys.erase(&bob(), noon()).await.unwrap();
    drop(keys);
    let new = MasterKey::parse(&"a5".repeat(32)).unwrap();
    assert_eq!(rewrap(folder.path(), &master(), &new, |_, _| ()).unwrap(), 1);
    assert_eq!(master_id(folder.path()).unwrap(), Some(new.id()));
    let error = SqlitePersonKeys::open(folder.path(), master()).err().unwrap().to_string();
    assert!(error.contains("master-key-wrong"), "{error}");
    assert!(rewrap(folder.path(), &master(), &new, |_, _| ()).is_err());
    let keys = SqlitePersonKeys::open(folder.path(), new).unwrap();
    assert_eq!(key(&keys, ada()).await, adas_key);
    assert!(key(&keys, bob()).await.is_none() && bobs_key.is_some());
    assert!(keys.is_erased(&bob()).await.unwrap());
}

#[tokio::test]
async fn a_damaged_key_stops_the_rewrap_and_changes_no_key() {
    let folder = tempfile::tempdir().unwrap();
    let keys = SqlitePersonKeys::open(folder.path(), master()).unwrap();
    make_key(&keys, ada()).await;
    make_key(&keys, bob()).await;
    drop(keys);
    let connection = rusqlite::Connection::open(folder.path().join(PERSON_KEYS_FILE)).unwrap();
    connection.execute("UPDATE person_keys SET wrapped = x'00' WHERE person = ?1", [bob().as_str()]).unwrap();
    drop(connection);
    let new = MasterKey::parse(&"a5".repeat(32)).unwrap();
    let error = rewrap(folder.path(), &master(), &new, |_, _| ()).unwrap_err().to_string();
    assert!(error.contains("damaged"), "{error}");
    let keys = SqlitePersonKeys::open(folder.path(), master()).unwrap();
    assert!(key(&keys, ada()).await.is_some());
}

#[tokio::test]
async fn a_store_in_use_can_be_backed_up() {
    let folder = tempfile::tempdir().unwrap();
    let other = tempfile::tempdir().unwrap();
    let keys = SqlitePersonKeys::open(folder.path(), master()).unwrap();
    let adas_key = make_key(&keys, ada()).await;
    let to = other.path().join(PERSON_KEYS_FILE);
    back_up(folder.path(), &to).unwrap();
    assert!(back_up(folder.path(), &to).is_err(), "an existing file is not overwritten");
    let copy = SqlitePersonKeys::open(other.path(), master()).unwrap();
    assert_eq!(key(&copy, ada()).await, adas_key);
    assert!(back_up(&other.path().join("nowhere"), &other.path().join("x")).is_err());
}

#[tokio::test]
async fn a_name_keeps_its_random_alias_until_the_alias_is_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let keys = SqlitePersonKeys::open(folder.path(), master()).unwrap();
    let name = "a-name-that-is-looked-up";
    assert_eq!(keys.alias_of(name).await.unwrap(), None);
    let first = keys.make_alias(name).await.unwrap();
    assert_eq!(keys.make_alias(name).await.unwrap(), first);
    assert_eq!(keys.alias_of(name).await.unwrap(), Some(first.clone()));
    assert_eq!(keys.name_of(&first).await.unwrap().as_deref(), Some(name));
    keys.adopt_alias(&first).await.unwrap();
    assert_eq!(keys.name_of(&first).await.unwrap().as_deref(), Some(name));
    keys.delete_alias(&first).await.unwrap();
    assert_eq!(keys.alias_of(name).await.unwrap(), None);
    for file in fs::read_dir(folder.path()).unwrap() {
        let bytes = fs::read(file.unwrap().path()).unwrap();
        assert!(memchr::memmem::find(&bytes, name.as_bytes()).is_none());
    }
    let second = keys.make_alias(name).await.unwrap();
    assert_ne!(first, second);
    assert_eq!(second.len(), 64);
}

#[tokio::test]
async fn an_erasure_deletes_the_links_from_the_person_to_aliases_and_prevents_new_ones() {
    let folder = tempfile::tempdir().unwrap();
    let keys = SqlitePersonKeys::open(folder.path(), master()).unwrap();
    for person in [ada(), bob()] {
        keys.link(vec![(person, "name".to_owned())]).await.unwrap();
    }
    assert_eq!(keys.linked_after(None, 9).await.unwrap(), []);
    keys.adopt_alias("name").await.unwrap();
    let linked = keys.linked_after(None, 1).await.unwrap();
    assert_eq!(linked[0].person, ada());
    assert_eq!(keys.linked_after(linked.last(), 9).await.unwrap()[0].person, bob());
    keys.erase(&ada(), noon()).await.unwrap();
    keys.link(vec![(ada(), "name".to_owned())]).await.unwrap();
    let remaining: Vec<Person> =
        keys.linked_after(None, 9).await.unwrap().into_iter().map(|linked| linked.person).collect();
    assert_eq!(remaining, [bob()]);
}

#[tokio::test]
async fn a_store_of_format_1_gets_the_tables_of_aliases_and_links() {
    let folder = tempfile::tempdir().unwrap();
    let keys = SqlitePersonKeys::open(folder.path(), master()).unwrap();
    let first = make_key(&keys, ada()).await;
    drop(keys);
    let old = rusqlite::Connection::open(folder.path().join(PERSON_KEYS_FILE)).unwrap();
    old.execute_batch("DROP TABLE links; DROP TABLE aliases; PRAGMA user_version = 1").unwrap();
    drop(old);
    let keys = SqlitePersonKeys::open(folder.path(), master()).unwrap();
    assert_eq!(key(&keys, ada()).await, first);
    keys.link(vec![(ada(), "name".to_owned())]).await.unwrap();
}

#[tokio::test]
async fn people_with_a_key_are_listed_by_kind() {
    let folder = tempfile::tempdir().unwrap();
    let keys = SqlitePersonKeys::open(folder.path(), master()).unwrap();
    let others = [Person::new("order-readdressed", "1"), Person::new("orders", "1")];
    keys.keys_for_sealing(others.into_iter().chain([ada(), bob()]).collect()).await.unwrap();
    let listed = keys.keyed_after("order", None, 9).await.unwrap();
    assert_eq!(listed.iter().map(|(person, _)| person.clone()).collect::<Vec<_>>(), [bob()]);
    assert_eq!(keys.keyed_after("order", Some(&bob()), 9).await.unwrap(), []);
    keys.erase(&bob(), noon()).await.unwrap();
    assert_eq!(keys.keyed_after("order", None, 9).await.unwrap(), []);
}

#[tokio::test]
async fn the_position_up_to_which_keys_are_complete_is_stored_per_log_and_in_backups() {
    let folder = tempfile::tempdir().unwrap();
    let keys = SqlitePersonKeys::open(folder.path(), master()).unwrap();
    assert_eq!(keys.complete_up_to("one").await.unwrap(), Position::START);
    keys.note_complete("one", Position(7)).await.unwrap();
    let copy = folder.path().join("copy");
    back_up(folder.path(), &copy).unwrap();
    keys.note_complete("one", Position(9)).await.unwrap();
    assert_eq!(keys.complete_up_to("one").await.unwrap(), Position(9));
    assert_eq!(keys.complete_up_to("two").await.unwrap(), Position::START);
    drop(keys);
    fs::rename(copy, folder.path().join(PERSON_KEYS_FILE)).unwrap();
    let keys = SqlitePersonKeys::open(folder.path(), master()).unwrap();
    assert_eq!(keys.complete_up_to("one").await.unwrap(), Position(7));
}

// Proves: platform.missing-keys
#[tokio::test]
async fn a_person_who_was_not_erased_and_has_no_key_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let keys = SqlitePersonKeys::open(folder.path(), master()).unwrap();
    make_key(&keys, ada()).await;
    keys.erase(&bob(), noon()).await.unwrap();
    let eve = Person::new("customer", "eve");
    assert_eq!(keys.missing(vec![ada(), bob(), eve.clone()]).await.unwrap(), [eve]);
}
