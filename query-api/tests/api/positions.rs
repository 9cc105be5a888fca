use souk_eventsourcing::Position;
use tokio::sync::watch;

use crate::shop::Shop;

#[tokio::test]
async fn a_read_waits_until_the_read_models_are_far_enough() {
    let mut shop = Shop::open().await;
    shop.counts("A1", 5).await;
    shop.project().await;
    shop.reached.send_replace(Position::START);
    let read =
        shop.get("/api/inventory/stock/A1").header("x-min-position", "1").header("prefer", "wait=30").send();
    let moves_on = async {
        tokio::task::yield_now().await;
        shop.reached.send_replace(Position(1));
    };
    let (answer, ()) = tokio::join!(read, moves_on);
    assert_eq!((answer.status, answer.json["position"].as_str()), (200, Some("1")));
}

#[tokio::test]
async fn a_read_that_waited_in_vain_says_how_far_the_read_models_are() {
    let mut shop = Shop::open().await;
    shop.counts("A1", 5).await;
    shop.project().await;
    let read = shop.get("/api/inventory/stock/A1").header("x-min-position", "99").header("prefer", "wait=0");
    let answer = read.send().await;
    answer.refused(503, "read-model-behind");
    assert_eq!(answer.headers["retry-after"], "1");
    assert!(answer.json["detail"].as_str().unwrap().contains("position 1, 99"), "{:?}", answer.json);
}

#[tokio::test]
async fn a_wait_ends_at_once_when_the_shop_stops() {
    let shop = Shop::open().await;
    let read = shop.get("/api/cart").header("x-min-position", "9").header("prefer", "wait=30").send();
    let stops = async {
        tokio::task::yield_now().await;
        shop.stop.send_replace(true);
    };
    let (answer, ()) = tokio::join!(read, stops);
    answer.refused(503, "read-model-behind");
    let already_stopped =
        shop.get("/api/cart").header("x-min-position", "9").header("prefer", "wait=30").send();
    already_stopped.await.refused(503, "read-model-behind");
}

#[tokio::test]
async fn a_wait_ends_at_once_when_nobody_moves_the_read_models_on() {
    let mut shop = Shop::open().await;
    drop(std::mem::replace(&mut shop.reached, watch::channel(Position::START).0));
    let read = shop.get("/api/cart").header("x-min-position", "9").header("prefer", "wait=30").send();
    read.await.refused(503, "read-model-behind");
}

#[tokio::test]
async fn what_is_no_position_or_no_wait_is_refused() {
    let shop = Shop::open().await;
    for (name, value) in [("x-min-position", "x"), ("x-min-position", "-1"), ("prefer", "wait=31")] {
        shop.get("/api/products").header(name, value).send().await.refused(400, "invalid-parameter");
    }
}
