use std::collections::HashMap;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::watchdog::check_progress;
use super::*;

#[tokio::test(start_paused = true)]
async fn a_part_that_fails_or_panics_is_restarted_after_growing_waits() {
    let parts = Parts::default();
    let (stop, stopping) = watch::channel(false);
    let part = parts.follower("x");
    let starts = Arc::new(AtomicUsize::new(0));
    let begin = {
        let starts = Arc::clone(&starts);
        let part = Arc::clone(&part);
        move || {
            let start = starts.fetch_add(1, Ordering::Relaxed);
            let part = Arc::clone(&part);
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
    assert!(began.elapsed() >= Duration::from_millis(750), "the supervisor waits before each start");
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!((starts.load(Ordering::Relaxed), parts.are_ready()), (7, true));
    stop.send_replace(true);
    supervised.abort();
}

// Proves: operations.readiness
#[tokio::test(start_paused = true)]
async fn a_part_that_waits_for_its_restart_is_shown_with_its_reason_and_can_be_stopped() {
    let parts = Parts::default();
    let (stop, stopping) = watch::channel(false);
    let follower = parts.follower("checkout");
    let sweep = parts.sweep("claims");
    follower.set(Condition::Working);
    let supervised = tokio::spawn(supervise(Arc::clone(&sweep), stopping.clone(), || {
        tokio::spawn(async { Err("no disk".to_owned()) })
    }));
    tokio::time::sleep(Duration::from_secs(100)).await;
    assert_eq!(parts.remarks(), ["claims has failed: no disk"]);
    assert!(parts.are_ready(), "the shop sells without a sweep");
    follower.set(Condition::Failing("no log".to_owned()));
    assert!(!parts.are_ready());
    stop.send_replace(true);
    supervised.await.unwrap();
}

// Proves: operations.readiness
#[tokio::test(start_paused = true)]
async fn a_follower_without_progress_is_stalled_until_its_position_moves() {
    let parts = Parts::default();
    let part = parts.follower("x");
    let mut seen = HashMap::new();
    let began = Instant::now();
    let mut check_at = |seconds: u64, head: u64| {
        check_progress(&parts, Position(head), &mut seen, began + Duration::from_secs(seconds));
    };
    part.set_follower_state(FollowerState::Live, Position(7), "");
    check_at(0, 7);
    check_at(3_600, 7);
    assert_eq!(part.condition(), Condition::Working, "there is nothing to read");
    check_at(3_601, 8);
    check_at(3_609, 9);
    assert_eq!(part.condition(), Condition::Working);
    check_at(3_612, 9);
    assert_eq!(part.condition(), Condition::Stalled);
    assert_eq!(parts.remarks(), ["x makes no progress from position 7"]);
    part.set_follower_state(FollowerState::Live, Position(7), "");
    assert_eq!(part.condition(), Condition::Stalled);
    part.set_follower_state(FollowerState::Live, Position(9), "");
    assert!(parts.are_ready());
}
