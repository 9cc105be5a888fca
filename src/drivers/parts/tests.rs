use std::collections::HashMap;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::watchdog::look;
use super::*;

#[tokio::test(start_paused = true)]
async fn a_part_that_fails_or_panics_is_started_again_later_and_later() {
    let (parts, (stop, stopping)) = (Parts::default(), watch::channel(false));
    let (part, starts) = (parts.follower("x"), Arc::new(AtomicUsize::new(0)));
    let begin = {
        let (starts, part) = (Arc::clone(&starts), Arc::clone(&part));
        move || {
            let (start, part) = (starts.fetch_add(1, Ordering::Relaxed), Arc::clone(&part));
            tokio::spawn(async move {
                part.set(Condition::Working);
                assert!(start != 1, "a bug");
                if start < 6 { Err(format!("failure {start}")) } else { std::future::pending().await }
            })
        }
    };
    let began = Instant::now();
    let supervised = tokio::spawn(supervise(Arc::clone(&part), stopping, begin));
    while starts.load(Ordering::Relaxed) < 3 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(began.elapsed() >= Duration::from_millis(750), "it waits before each start");
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!((starts.load(Ordering::Relaxed), parts.are_ready()), (7, true));
    stop.send_replace(true);
    supervised.abort();
}

#[tokio::test(start_paused = true)]
async fn a_part_that_waits_for_its_next_start_is_shown_with_its_reason_and_stops_at_once() {
    let (parts, (stop, stopping)) = (Parts::default(), watch::channel(false));
    let (vital, sweep) = (parts.follower("checkout"), parts.sweep("claims"));
    vital.set(Condition::Working);
    let supervised = tokio::spawn(supervise(Arc::clone(&sweep), stopping.clone(), || {
        tokio::spawn(async { Err("no disk".to_owned()) })
    }));
    tokio::time::sleep(Duration::from_secs(100)).await;
    assert_eq!(parts.remarks(), ["claims has failed: no disk"]);
    assert!(parts.are_ready(), "the shop sells without a sweep");
    vital.set(Condition::Failing("no log".to_owned()));
    assert!(!parts.are_ready());
    stop.send_replace(true);
    supervised.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_follower_that_stands_still_while_the_log_grows_is_stalled_until_it_moves() {
    let parts = Parts::default();
    let part = parts.follower("x");
    let (mut seen, began) = (HashMap::new(), Instant::now());
    let mut look_after = |seconds: u64, head: u64| {
        look(&parts, Position(head), &mut seen, began + Duration::from_secs(seconds));
    };
    part.set_standing(Standing::Live, Position(7), "");
    look_after(0, 7);
    look_after(3_600, 7);
    assert_eq!(part.condition(), Condition::Working, "there is nothing to read");
    look_after(3_601, 8);
    look_after(3_609, 9);
    assert_eq!(part.condition(), Condition::Working);
    look_after(3_612, 9);
    assert_eq!(part.condition(), Condition::Stalled);
    assert_eq!(parts.remarks(), ["x makes no progress from position 7"]);
    part.set_standing(Standing::Live, Position(7), "");
    assert_eq!(part.condition(), Condition::Stalled);
    part.set_standing(Standing::Live, Position(9), "");
    assert!(parts.are_ready());
}
