use jiff::SignedDuration;
use souk_sign_in::SignInKind;

use super::*;

fn ada() -> CustomerId {
    CustomerId::parse("ada").unwrap()
}

fn noon() -> Timestamp {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

fn hours(n: i64) -> Timestamp {
    noon() + SignedDuration::from_hours(n)
}

async fn open(folder: &tempfile::TempDir) -> SqliteCredentials {
    SqliteCredentials::open(folder.path()).await.unwrap()
}

fn session(n: u128) -> Session {
    Session::open(Uuid::from_u128(n), ada(), [1; 32], noon())
}

fn sign_in(n: u128, at: Timestamp) -> SignIn {
    SignIn {
        id: Uuid::from_u128(n),
        at,
        user: Some(ada()),
        email_hash: Some(EmailHash::of(&[1; 32], "ada@example.org")),
        kind: SignInKind::SignedIn,
        address: Some("192.0.2.1".into()),
        user_agent: None,
    }
}

#[tokio::test]
async fn a_password_can_be_replaced_and_survives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder).await;
    assert_eq!(store.password(&ada()).await.unwrap(), None);
    store.set_password(&ada(), "one").await.unwrap();
    store.set_password(&ada(), "two").await.unwrap();
    store.close().await;
    assert_eq!(open(&folder).await.password(&ada()).await.unwrap().as_deref(), Some("two"));
}

fn email_hash() -> EmailHash {
    EmailHash::of(&[1; 32], "ada@example.org")
}

fn token(n: u8, purpose: Purpose) -> OneTimeToken {
    OneTimeToken { hash: [n; 32], user: ada(), purpose, email_hash: email_hash(), expires_at: hours(1) }
}

#[tokio::test]
async fn a_new_password_deletes_the_reset_tokens_unless_the_caller_keeps_them() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder).await;
    let works = async |n: u8, purpose| store.one_time(&[n; 32], purpose, noon()).await.unwrap().is_some();
    let add_reset_token = async |n: u8| {
        store.keep_one_time(&token(n, Purpose::ResetPassword)).await.unwrap();
        assert!(works(n, Purpose::ResetPassword).await);
    };
    store.keep_one_time(&token(9, Purpose::VerifyEmail)).await.unwrap();
    add_reset_token(1).await;
    store.set_password(&ada(), "one").await.unwrap();
    assert!(!works(1, Purpose::ResetPassword).await);
    add_reset_token(2).await;
    assert!(!store.change_password(&ada(), "another", "two", ResetsAtChange::Remove).await.unwrap());
    assert!(store.replace_password(&ada(), "one", "one, hashed again").await.unwrap());
    assert!(works(2, Purpose::ResetPassword).await, "the password is the same");
    let keep = ResetsAtChange::Keep;
    assert!(store.change_password(&ada(), "one, hashed again", "one again", keep).await.unwrap());
    assert!(works(2, Purpose::ResetPassword).await, "`ResetsAtChange::Keep` keeps the token");
    assert!(store.change_password(&ada(), "one again", "two", ResetsAtChange::Remove).await.unwrap());
    assert!(!works(2, Purpose::ResetPassword).await);
    add_reset_token(3).await;
    assert!(works(9, Purpose::VerifyEmail).await);
    store.forget(&ada(), &[]).await.unwrap();
    assert!(!works(3, Purpose::ResetPassword).await && !works(9, Purpose::VerifyEmail).await);
}

#[tokio::test]
async fn a_reset_sets_the_password_and_deletes_its_token() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder).await;
    store.keep_one_time(&token(1, Purpose::ResetPassword)).await.unwrap();
    store.keep_one_time(&token(2, Purpose::VerifyEmail)).await.unwrap();
    let reset =
        async |n: u8, now| store.reset_password(&[n; 32], "new", LinksAtReset::Keep, now).await.unwrap();
    for (n, now) in [(1, hours(1)), (2, noon()), (3, noon())] {
        assert_eq!(reset(n, now).await, None);
        assert_eq!(store.password(&ada()).await.unwrap(), None);
    }
    let mailed_to = store.one_time(&[1; 32], Purpose::ResetPassword, noon()).await.unwrap().unwrap();
    assert!(mailed_to.is_for_address(&email_hash()) && mailed_to.user == ada());
    assert!(!mailed_to.is_for_address(&EmailHash::of(&[1; 32], "bob@example.org")));
    assert_eq!(reset(1, noon()).await, Some(ada()));
    assert_eq!(store.password(&ada()).await.unwrap().as_deref(), Some("new"));
    assert_eq!(reset(1, noon()).await, None);
}

#[tokio::test]
async fn the_second_of_two_concurrent_changes_of_a_session_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder).await;
    store.open_session(&session(1)).await.unwrap();
    let mut first = store.session(Uuid::from_u128(1)).await.unwrap().unwrap();
    let second = first.clone();
    first.session.revoke(hours(1));
    assert!(store.replace_session(&first).await.unwrap());
    assert!(!store.replace_session(&second).await.unwrap());
    assert_eq!(store.open_sessions_of(&ada(), noon()).await.unwrap().len(), 0);
    assert_eq!(store.revoked_since(hours(1)).await.unwrap().len(), 1);
    assert_eq!(store.revoked_since(hours(2)).await.unwrap().len(), 0);
    assert!(store.session(Uuid::from_u128(2)).await.unwrap().is_none());
}

#[tokio::test]
async fn a_session_without_the_field_code_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder).await;
    store.open_session(&session(1)).await.unwrap();
    let without =
        "UPDATE families SET doc = json_remove(doc, '$.code') WHERE json_type(doc, '$.code') = 'null'";
    let changed = sqlx::query(without).execute(&store.pool).await.unwrap();
    assert_eq!(changed.rows_affected(), 1);
    assert_eq!(store.session(Uuid::from_u128(1)).await.unwrap().unwrap().session, session(1));
}

#[tokio::test]
async fn a_one_time_token_works_once_for_its_purpose_until_a_newer_one_replaces_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder).await;
    store.keep_one_time(&token(1, Purpose::ResetPassword)).await.unwrap();
    store.keep_one_time(&token(2, Purpose::VerifyEmail)).await.unwrap();
    store.keep_one_time(&token(3, Purpose::ResetPassword)).await.unwrap();
    let take = async |n: u8, purpose, now| store.take_one_time(&[n; 32], purpose, now).await.unwrap();
    assert_eq!(take(1, Purpose::ResetPassword, noon()).await, None);
    assert_eq!(take(2, Purpose::ResetPassword, noon()).await, None);
    assert_eq!(take(2, Purpose::VerifyEmail, noon()).await, Some(ada()));
    assert_eq!(take(2, Purpose::VerifyEmail, noon()).await, None);
    assert_eq!(take(3, Purpose::ResetPassword, hours(1)).await, None);
}

#[tokio::test]
async fn sign_ins_are_listed_newest_first_and_deleted_after_90_days() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder).await;
    for n in 1..=3 {
        store.note(&sign_in(n, noon())).await.unwrap();
    }
    let without_user = SignIn { user: None, kind: SignInKind::Failed, ..sign_in(4, hours(2)) };
    store.note(&without_user).await.unwrap();
    let all = store.sign_ins(None, None, 10).await.unwrap();
    assert_eq!(all[0], without_user);
    assert_eq!(all.len(), 4);
    let page = store.sign_ins(Some(&ada()), Some(Uuid::from_u128(3)), 1).await.unwrap();
    assert_eq!(page, [sign_in(2, noon())]);
    store.sweep(hours(90 * 24 + 1)).await.unwrap();
    assert_eq!(store.sign_ins(None, None, 10).await.unwrap(), [without_user]);
}

#[tokio::test]
async fn the_sweep_deletes_expired_sessions_and_ended_ones_without_valid_tokens() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder).await;
    store.open_session(&session(1)).await.unwrap();
    store.open_session(&session(2)).await.unwrap();
    let mut revoked = store.session(Uuid::from_u128(2)).await.unwrap().unwrap();
    revoked.session.revoke(noon());
    store.replace_session(&revoked).await.unwrap();
    store.sweep(noon() + ACCESS_TTL).await.unwrap();
    assert!(store.session(Uuid::from_u128(2)).await.unwrap().is_some());
    store.sweep(hours(1)).await.unwrap();
    assert!(store.session(Uuid::from_u128(2)).await.unwrap().is_none());
    assert!(store.session(Uuid::from_u128(1)).await.unwrap().is_some());
    store.sweep(hours(31 * 24)).await.unwrap();
    assert!(store.session(Uuid::from_u128(1)).await.unwrap().is_none());
}

// Proves: users.erasure-everywhere
#[tokio::test]
async fn no_file_holds_data_of_an_erased_person() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder).await;
    store.set_password(&ada(), "a-hash-of-something").await.unwrap();
    store.open_session(&session(1)).await.unwrap();
    store.note(&sign_in(1, noon())).await.unwrap();
    let failed = SignIn { user: None, ..sign_in(2, noon()) };
    store.note(&failed).await.unwrap();
    let count_files_with = |text: &str| {
        let files = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
        let holds = |path: &std::path::PathBuf| {
            std::fs::read(path).unwrap().windows(text.len()).any(|part| part == text.as_bytes())
        };
        files.filter(holds).count()
    };
    assert!(count_files_with("a-hash-of-something") > 0 && count_files_with("192.0.2.1") > 0);
    store.forget(&ada(), &[EmailHash::of(&[1; 32], "ada@example.org")]).await.unwrap();
    assert_eq!((count_files_with("a-hash-of-something"), count_files_with("192.0.2.1")), (0, 0));
    assert_eq!(store.password(&ada()).await.unwrap(), None);
    assert!(store.sign_ins(None, None, 10).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_erasures_do_not_block_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let store = std::sync::Arc::new(open(&folder).await);
    let forget = |n: usize| {
        let store = std::sync::Arc::clone(&store);
        let user = CustomerId::parse(&format!("user-{n}")).unwrap();
        tokio::spawn(async move {
            store.set_password(&user, "one").await.unwrap();
            store.forget(&user, &[]).await
        })
    };
    for forgetting in (0..40).map(forget).collect::<Vec<_>>() {
        forgetting.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn mails_are_counted_for_one_day_and_erasures_keep_the_counters() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder).await;
    let [of_address, of_client] =
        [(1, 3), (2, 2)].map(|(n, mails_max)| MailCount { key: [n; 32], mails_max });
    let of_other = MailCount { key: [3; 32], mails_max: 2 };
    let count_mail = async |counts: [MailCount; 2], now| store.count_mail(&counts, now).await.unwrap();
    assert!(
        count_mail([of_address, of_client], noon()).await
            && count_mail([of_address, of_client], hours(1)).await
    );
    assert!(!count_mail([of_address, of_client], hours(2)).await, "the client has reached its limit");
    store.forget(&ada(), &[email_hash()]).await.unwrap();
    store.sweep(hours(24) - SignedDuration::from_secs(1)).await.unwrap();
    assert!(count_mail([of_address, of_other], hours(3)).await, "a refused mail is not counted");
    assert!(!count_mail([of_address, of_other], hours(4)).await, "the address has reached its limit");
    assert!(count_mail([of_address, of_client], hours(24)).await);
    let rows = async || {
        let count = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM mail_counts");
        count.fetch_one(&store.pool).await.unwrap()
    };
    assert_eq!(rows().await, 3);
    store.sweep(hours(48)).await.unwrap();
    assert_eq!(rows().await, 0);
}

#[tokio::test]
async fn a_mail_over_the_limit_is_refused_without_waiting_for_a_writer() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder).await;
    let count = MailCount { key: [1; 32], mails_max: 1 };
    assert!(store.count_mail(&[count], noon()).await.unwrap());
    let writing = store.pool.begin_with("BEGIN IMMEDIATE").await.unwrap();
    assert!(!store.count_mail(&[count], noon()).await.unwrap());
    writing.rollback().await.unwrap();
}

#[tokio::test]
async fn people_with_data_in_any_table_are_found_and_ended_sessions_do_not_count() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder).await;
    let people: Vec<CustomerId> = (0..8).map(|n| CustomerId::parse(&format!("user-{n}")).unwrap()).collect();
    store.set_password(&people[1], "one").await.unwrap();
    let session_of =
        |n: u8| Session::open(Uuid::from_u128(n.into()), people[usize::from(n)].clone(), [1; 32], noon());
    store.open_session(&session_of(2)).await.unwrap();
    let token_of_third = OneTimeToken { user: people[3].clone(), ..token(3, Purpose::VerifyEmail) };
    store.keep_one_time(&token_of_third).await.unwrap();
    store.link("https://work.example", "4", &people[4], noon()).await.unwrap();
    store.keep_email(&people[5], &email_hash(), &email_hash(), None).await.unwrap();
    store.note(&SignIn { user: Some(people[6].clone()), ..sign_in(6, noon()) }).await.unwrap();
    store.open_session(&session_of(7)).await.unwrap();
    let mut ended = store.session(Uuid::from_u128(7)).await.unwrap().unwrap();
    ended.session.revoke(noon());
    store.replace_session(&ended).await.unwrap();
    assert_eq!(store.accounts_with_data(&people).await.unwrap(), people[1..7]);
    for person in &people {
        store.forget(person, &[]).await.unwrap();
    }
    assert_eq!(store.accounts_with_data(&people).await.unwrap(), []);
}

#[tokio::test]
async fn a_file_of_another_kind_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(CREDENTIALS_FILE), "not a database").unwrap();
    assert!(matches!(SqliteCredentials::open(folder.path()).await, Err(OpenError::Unusable { .. })));
}

#[tokio::test]
async fn a_store_of_format_1_is_upgraded() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder).await;
    store.set_password(&ada(), "one").await.unwrap();
    // Turns the store into one of format 1.
    let downgrade = "DROP TABLE links; DROP TABLE mail_counts; DROP TABLE email_names; ALTER TABLE one_time_tokens DROP COLUMN email_hash; PRAGMA user_version = 1;
        INSERT INTO one_time_tokens VALUES (zeroblob(32), 'ada', 'verify-email', 9000000000000000)";
    sqlx::raw_sql(downgrade).execute(&store.pool).await.unwrap();
    store.close().await;
    let store = open(&folder).await;
    let mailed_to = store.one_time(&[0; 32], Purpose::VerifyEmail, noon()).await.unwrap().unwrap();
    assert_eq!(mailed_to, MailedTo { user: ada(), email_hash: None });
    assert!(mailed_to.is_for_address(&email_hash()));
    assert_eq!(store.password(&ada()).await.unwrap().as_deref(), Some("one"));
    store.link("https://work.example", "7", &ada(), noon()).await.unwrap();
    assert_eq!(store.linked_account("https://work.example", "7").await.unwrap(), Some(ada()));
    store.close().await;
    assert_eq!(open(&folder).await.links_of(&ada()).await.unwrap(), ["https://work.example"]);
}

#[tokio::test]
async fn an_erasure_deletes_links_and_a_password_is_replaced_only_if_the_old_one_matches() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder).await;
    store.set_password(&ada(), "one").await.unwrap();
    assert!(store.replace_password(&ada(), "one", "two").await.unwrap());
    assert!(!store.replace_password(&ada(), "one", "three").await.unwrap());
    store.link("https://work.example", "7", &ada(), noon()).await.unwrap();
    store.forget(&ada(), &[]).await.unwrap();
    assert_eq!(store.linked_account("https://work.example", "7").await.unwrap(), None);
    assert!(!store.replace_password(&ada(), "two", "three").await.unwrap());
}

#[tokio::test]
async fn a_link_can_be_removed_unless_it_is_the_last_way_to_sign_in() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder).await;
    let work = "https://work.example";
    let home = "https://home.example";
    assert_eq!(store.unlink(work, &ada()).await.unwrap(), UnlinkOutcome::NotLinked);
    store.link(work, "7", &ada(), noon()).await.unwrap();
    assert_eq!(store.unlink(work, &ada()).await.unwrap(), UnlinkOutcome::LastSignInMethod);
    store.link(home, "8", &ada(), noon()).await.unwrap();
    assert_eq!(store.unlink(work, &ada()).await.unwrap(), UnlinkOutcome::Done);
    assert_eq!(store.linked_account(work, "7").await.unwrap(), None);
    assert_eq!(store.unlink(home, &ada()).await.unwrap(), UnlinkOutcome::LastSignInMethod);
    store.set_password(&ada(), "one").await.unwrap();
    assert_eq!(store.unlink(home, &ada()).await.unwrap(), UnlinkOutcome::Done);
    assert_eq!(store.links_of(&ada()).await.unwrap(), [] as [&str; 0]);
}

#[tokio::test]
async fn an_erasure_deletes_the_email_alias_of_the_account() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder).await;
    let name = email_hash();
    let alias = EmailHash::parse(&"5a".repeat(32)).unwrap();
    assert_eq!(store.email_alias(&name).await.unwrap(), None);
    store.keep_email(&ada(), &name, &alias, Some("one")).await.unwrap();
    assert_eq!(
        store.email_alias(&name).await.unwrap(),
        None,
        "the account does not have this password, so nothing is stored"
    );
    store.set_password(&ada(), "one").await.unwrap();
    store.keep_email(&ada(), &name, &name, None).await.unwrap();
    store.keep_email(&ada(), &name, &alias, Some("one")).await.unwrap();
    assert_eq!(store.email_alias(&name).await.unwrap(), Some(alias));
    store.forget(&ada(), &[]).await.unwrap();
    assert_eq!(store.email_alias(&name).await.unwrap(), None);
}
