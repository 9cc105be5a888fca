
use super::*;
use std::time::Instant;
use std::io::Write;
fn big(stream: &StreamName, n: u128) -> NewEvent {
    NewEvent { data: Bytes::from(vec![b'x'; 250]), ..event(stream, n<<80 | n, 0) }
}
fn ap(n: u128) -> Append {
    let stream = StreamName::new("thing", &format!("{}", n % 500));
    let e = big(&stream, n);
    Append { stream, expected: Expected::Any, events: vec![e] }
}
#[test]
fn probe() {
    let rt = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    for _ in 0..5 {
        let folder = tempfile::tempdir_in("/work/target-h1").unwrap();
        let mut f = fs::File::create(folder.path().join("bare")).unwrap();
        let t = Instant::now();
        for _ in 0..1500 { f.write_all(&[7; 400]).unwrap(); f.sync_data().unwrap(); }
        let bare = 1500.0 / t.elapsed().as_secs_f64();
        let log = open(folder.path()).unwrap();
        let all: Vec<_> = (0..1500).map(|n| ap(n + 1)).collect();
        let t = Instant::now();
        rt.block_on(async { for a in all { log.append(a).await.unwrap(); } });
        let one = 1500.0 / t.elapsed().as_secs_f64();
        // bare sqlite
        let f2 = tempfile::tempdir_in("/work/target-h1").unwrap();
        drop(open(f2.path()).unwrap());
        let mut c = Connection::open(f2.path().join(LOG_FILE)).unwrap();
        c.pragma_update(None, "journal_mode", "WAL").unwrap();
        c.pragma_update(None, "synchronous", "FULL").unwrap();
        c.pragma_update(None, "cache_size", -32 * 1024).unwrap();
        let rows: Vec<_> = (0..64_000u64).map(|n| ap(u128::from(n) + 1_000_000)).collect();
        let t = Instant::now();
        for (b, chunk) in rows.chunks(64).enumerate() {
            let tx = c.transaction().unwrap();
            { let mut ins = tx.prepare_cached(crate::row::INSERT).unwrap();
            for (i, a) in chunk.iter().enumerate() { let n = (b * 64 + i) as u64;
                let e = &a.events[0];
                ins.execute(rusqlite::params![n + 1, a.stream.as_str(), n / 500, e.id.0.as_bytes().as_slice(), e.event_type.as_ref(), e.schema_version, e.recorded_at.as_microsecond(), e.actor.as_str(), e.correlation_id.as_str(), e.causation_id.map(|i| i.0.into_bytes()), e.command_id.0.as_bytes().as_slice(), e.request_hash.map(|h| h.0), e.content_type.as_ref(), e.data.as_ref(), 0]).unwrap();
            } }
            tx.commit().unwrap();
        }
        let bsql = 64_000.0 / t.elapsed().as_secs_f64();
        let f3 = tempfile::tempdir_in("/work/target-h1").unwrap();
        let log = open(f3.path()).unwrap();
        let per: Vec<Vec<Append>> = (0..64u128).map(|w| (0..1000u128).map(|n| ap(2_000_000 + n * 64 + w)).collect()).collect();
        let t = Instant::now();
        rt.block_on(async {
            let ts: Vec<_> = per.into_iter().map(|v| { let log = log.clone(); tokio::spawn(async move { for a in v { log.append(a).await.unwrap(); } }) }).collect();
            for t in ts { t.await.unwrap(); }
        });
        let many = 64_000.0 / t.elapsed().as_secs_f64();
        let c = log.counters();
        println!("bare {bare:.0} one {one:.0} = {:.2}; bare sqlite {bsql:.0} 64 writers {many:.0} = {:.2}; events/commit {:.1}", one / bare, many / bsql, c.events as f64 / c.commits as f64);
    }
}
