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
    keys.to_open(vec![person.clone()]).await.unwrap().get(&person).map(|key| *key.bytes())
}

async fn made(keys: &SqlitePersonKeys, person: Person) -> Option<[u8; 32]> {
    keys.to_seal(vec![person.clone()]).await.unwrap().get(&person).map(|key| *key.bytes())
}

#[tokio::test]
async fn a_key_is_made_once_and_is_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let keys = SqlitePersonKeys::open(folder.path(), master()).unwrap();
    assert_eq!(key(&keys, ada()).await, None);
    let first = made(&keys, ada()).await.unwrap();
    assert_eq!(made(&keys, ada()).await, Some(first));
    assert_ne!(made(&keys, bob()).await, Some(first));
    drop(keys);
    let keys = SqlitePersonKeys::open(folder.path(), master()).unwrap();
    assert_eq!(key(&keys, ada()).await, Some(first));
}

#[tokio::test]
async fn many_who_come_at_once_get_the_same_key() {
    let folder = tempfile::tempdir().unwrap();
    let keys = SqlitePersonKeys::open(folder.path(), master()).unwrap();
    let askers: Vec<_> = (0..50)
        .map(|_| {
            let keys = Arc::clone(&keys);
            tokio::spawn(async move { made(&keys, ada()).await })
        })
        .collect();
    let mut seen = std::collections::HashSet::new();
    for asker in askers {
        seen.insert(asker.await.unwrap().unwrap());
    }
    assert_eq!(seen.len(), 1);
}

#[tokio::test]
async fn somebody_who_is_erased_never_gets_a_key_again() {
    let folder = tempfile::tempdir().unwrap();
    let keys = SqlitePersonKeys::open(folder.path(), master()).unwrap();
    made(&keys, ada()).await.unwrap();
    made(&keys, bob()).await.unwrap();
    keys.erase(&ada(), noon()).await.unwrap();
    assert_eq!((key(&keys, ada()).await, made(&keys, ada()).await), (None, None));
    assert!(key(&keys, bob()).await.is_some());
    assert!(keys.is_erased(&ada()).await.unwrap() && !keys.is_erased(&bob()).await.unwrap());
    drop(keys);
    let keys = SqlitePersonKeys::open(folder.path(), master()).unwrap();
    assert_eq!((key(&keys, ada()).await, made(&keys, ada()).await), (None, None));
}

#[tokio::test]
async fn what_is_left_to_do_about_an_erasure_is_listed_until_it_is_done() {
    let folder = tempfile::tempdir().unwrap();
    let keys = SqlitePersonKeys::open(folder.path(), master()).unwrap();
    keys.erase(&ada(), noon()).await.unwrap();
    keys.erase(&bob(), noon() + jiff::SignedDuration::from_secs(1)).await.unwrap();
    assert_eq!(keys.unsettled(10).await.unwrap(), [ada(), bob()]);
    assert_eq!(keys.unsettled(1).await.unwrap(), [ada()]);
    keys.settle(&ada()).await.unwrap();
    keys.erase(&ada(), noon()).await.unwrap();
    assert_eq!(keys.unsettled(10).await.unwrap(), [bob()]);
}

#[tokio::test]
async fn nothing_of_a_destroyed_key_is_left_in_any_file() {
    let folder = tempfile::tempdir().unwrap();
    let keys = SqlitePersonKeys::open(folder.path(), master()).unwrap();
    for n in 0..200 {
        made(&keys, Person::new("order", &n.to_string())).await.unwrap();
    }
    made(&keys, ada()).await.unwrap();
    let path = folder.path().join(PERSON_KEYS_FILE);
    let wrapped: Vec<u8> = rusqlite::Connection::open(&path)
        .unwrap()
        .query_row("SELECT wrapped FROM person_keys WHERE person = 'customer:ada'", [], |row| row.get(0))
        .unwrap();
    let holders = || {
        let files = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
        let holds = |path: &PathBuf| fs::read(path).unwrap().windows(16).any(|part| part == &wrapped[8..24]);
        files.filter(holds).count()
    };
    assert!(holders() > 0);
    keys.erase(&ada(), noon()).await.unwrap();
    assert_eq!(holders(), 0);
}

#[tokio::test]
async fn another_master_key_is_refused_by_name_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let keys = SqlitePersonKeys::open(folder.path(), master()).unwrap();
    made(&keys, ada()).await.unwrap();
    drop(keys);
    let other = MasterKey::parse(&"00".repeat(32)).unwrap();
    let error = SqlitePersonKeys::open(folder.path(), other).err().unwrap().to_string();
    assert!(error.contains("master-key-wrong") && error.contains(&master().id()), "{error}");
    let keys = SqlitePersonKeys::open(folder.path(), master()).unwrap();
    assert!(key(&keys, ada()).await.is_some());
}

#[test]
fn a_file_of_another_kind_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(PERSON_KEYS_FILE);
    rusqlite::Connection::open(&path).unwrap().execute_batch("CREATE TABLE t (x)").unwrap();
    let error = SqlitePersonKeys::open(folder.path(), master()).err().unwrap();
    assert!(matches!(error, OpenError::Foreign { .. }), "{error}");
    fs::write(&path, "no database, by far").unwrap();
    let error = SqlitePersonKeys::open(folder.path(), master()).err().unwrap();
    assert!(matches!(error, OpenError::Unusable { .. }), "{error}");
}

#[test]
fn a_master_key_is_64_digits_and_never_shown() {
    let made = MasterKey::make().unwrap();
    assert!(MasterKey::parse(&format!("{}\n", *made)).is_ok());
    for text in ["", "5a", &"xy".repeat(32), &"é".repeat(32)] {
        let error = MasterKey::parse(text).unwrap_err().to_string();
        assert!(error.contains("64 hexadecimal digits") && (text.is_empty() || !error.contains(text)));
    }
    assert_eq!(format!("{:?}", master()), "(master key)");
}

#[tokio::test]
async fn another_master_key_opens_the_same_keys_and_the_old_one_none() {
    let folder = tempfile::tempdir().unwrap();
    let keys = SqlitePersonKeys::open(folder.path(), master()).unwrap();
    let (of_ada, of_bob) = (made(&keys, ada()).await, made(&keys, bob()).await);
    keys.erase(&bob(), noon()).await.unwrap();
    drop(keys);
    let new = MasterKey::parse(&"a5".repeat(32)).unwrap();
    assert_eq!(rewrap(folder.path(), &master(), &new, |_, _| ()).unwrap(), 1);
    assert_eq!(master_id(folder.path()).unwrap(), Some(new.id()));
    let refused = SqlitePersonKeys::open(folder.path(), master()).err().unwrap().to_string();
    assert!(refused.contains("master-key-wrong"), "{refused}");
    assert!(rewrap(folder.path(), &master(), &new, |_, _| ()).is_err());
    let keys = SqlitePersonKeys::open(folder.path(), new).unwrap();
    assert_eq!(key(&keys, ada()).await, of_ada);
    assert!(key(&keys, bob()).await.is_none() && of_bob.is_some());
    assert!(keys.is_erased(&bob()).await.unwrap());
}

#[tokio::test]
async fn a_key_that_is_damaged_keeps_all_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let keys = SqlitePersonKeys::open(folder.path(), master()).unwrap();
    made(&keys, ada()).await;
    made(&keys, bob()).await;
    drop(keys);
    let connection = rusqlite::Connection::open(folder.path().join(PERSON_KEYS_FILE)).unwrap();
    connection.execute("UPDATE person_keys SET wrapped = x'00' WHERE person = ?1", [bob().as_str()]).unwrap();
    drop(connection);
    let new = MasterKey::parse(&"a5".repeat(32)).unwrap();
    let refused = rewrap(folder.path(), &master(), &new, |_, _| ()).unwrap_err().to_string();
    assert!(refused.contains("damaged"), "{refused}");
    let keys = SqlitePersonKeys::open(folder.path(), master()).unwrap();
    assert!(key(&keys, ada()).await.is_some());
}

#[tokio::test]
async fn a_backup_of_a_store_in_use_is_a_store() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let keys = SqlitePersonKeys::open(folder.path(), master()).unwrap();
    let of_ada = made(&keys, ada()).await;
    let to = other.path().join(PERSON_KEYS_FILE);
    back_up(folder.path(), &to).unwrap();
    assert!(back_up(folder.path(), &to).is_err(), "nothing is overwritten");
    let copy = SqlitePersonKeys::open(other.path(), master()).unwrap();
    assert_eq!(key(&copy, ada()).await, of_ada);
    assert!(back_up(&other.path().join("nowhere"), &other.path().join("x")).is_err());
}

#[tokio::test]
async fn an_alias_is_random_stays_the_same_and_is_new_after_its_deletion() {
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
async fn links_go_with_the_key_and_an_erased_person_gets_none() {
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
    let left: Vec<Person> =
        keys.linked_after(None, 9).await.unwrap().into_iter().map(|linked| linked.person).collect();
    assert_eq!(left, [bob()]);
}

#[tokio::test]
async fn a_store_of_before_the_index_opens() {
    let folder = tempfile::tempdir().unwrap();
    let keys = SqlitePersonKeys::open(folder.path(), master()).unwrap();
    let first = made(&keys, ada()).await;
    drop(keys);
    let old = rusqlite::Connection::open(folder.path().join(PERSON_KEYS_FILE)).unwrap();
    old.execute_batch("DROP TABLE links; DROP TABLE aliases; PRAGMA user_version = 1").unwrap();
    drop(old);
    let keys = SqlitePersonKeys::open(folder.path(), master()).unwrap();
    assert_eq!(key(&keys, ada()).await, first);
    keys.link(vec![(ada(), "name".to_owned())]).await.unwrap();
}

#[tokio::test]
async fn people_of_a_kind_with_a_key_are_listed() {
    let folder = tempfile::tempdir().unwrap();
    let keys = SqlitePersonKeys::open(folder.path(), master()).unwrap();
    let others = [Person::new("order-readdressed", "1"), Person::new("orders", "1")];
    keys.to_seal(others.into_iter().chain([ada(), bob()]).collect()).await.unwrap();
    let listed = keys.keyed_after("order", None, 9).await.unwrap();
    assert_eq!(listed.iter().map(|(person, _)| person.clone()).collect::<Vec<_>>(), [bob()]);
    assert_eq!(keys.keyed_after("order", Some(&bob()), 9).await.unwrap(), []);
    keys.erase(&bob(), noon()).await.unwrap();
    assert_eq!(keys.keyed_after("order", None, 9).await.unwrap(), []);
}

#[tokio::test]
async fn a_store_is_complete_for_one_log_and_an_older_copy_is_so_less_far() {
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

#[tokio::test]
async fn somebody_is_missing_who_has_no_key_and_is_not_erased() {
    let folder = tempfile::tempdir().unwrap();
    let keys = SqlitePersonKeys::open(folder.path(), master()).unwrap();
    made(&keys, ada()).await;
    keys.erase(&bob(), noon()).await.unwrap();
    let eve = Person::new("customer", "eve");
    assert_eq!(keys.missing(vec![ada(), bob(), eve.clone()]).await.unwrap(), [eve]);
}
