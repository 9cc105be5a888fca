use std::collections::BTreeMap;

use souk_domain::product::event::{Attribute, AttributeKind, Changed, Created, Variant, Withdrawn};
use souk_eventsourcing::StreamName;

use super::*;
use crate::testing::{History, golden, pence, product, row, sku};

fn stream() -> StreamName {
    Product::stream(product(1))
}

fn lamp() -> Content {
    let variant = |text: &str, size: &str, amount| Variant {
        sku: sku(text),
        options: BTreeMap::from([("size".to_owned(), size.to_owned())]),
        price: pence(amount),
        images: vec!["/images/lamp.png".to_owned()],
    };
    let attribute = Attribute { name: "watts".into(), kind: AttributeKind::Number, value: "4.5".into() };
    Content {
        name: "Édith Lamp".to_owned(),
        description: "Warm.".to_owned(),
        category: "home/lighting".to_owned(),
        attributes: vec![attribute],
        active: true,
        variants: vec![variant("LAMP-L", "L", 900), variant("LAMP-S", "S", 700)],
    }
}

fn renamed() -> Content {
    let mut content = Content { name: "Lamp".to_owned(), active: false, ..lamp() };
    content.variants.truncate(1);
    content
}

#[test]
fn golden() {
    let history = History::default()
        .then(&stream(), ProductEvent::from(Created { content: lamp() }))
        .noted(&stream())
        .then(
            &stream(),
            ProductEvent::from(Changed { content: renamed(), removed_skus: vec![sku("LAMP-S")] }),
        )
        .then(&stream(), ProductEvent::from(Withdrawn { removed_skus: vec![sku("LAMP-L")] }))
        .noted(&stream());
    golden!(Products, history);
}

#[test]
fn a_change_keeps_the_creation_time() {
    let created = History::default().then(&stream(), ProductEvent::from(Created { content: lamp() }));
    let first = row::<Products>(&created, stream().id()).unwrap();
    let changed =
        created.then(&stream(), ProductEvent::from(Changed { content: renamed(), removed_skus: Vec::new() }));
    let second = row::<Products>(&changed, stream().id()).unwrap();
    assert_eq!(second.created_at, first.created_at);
    assert!(second.updated_at > first.updated_at);
}

#[test]
fn a_noted_event_raises_the_revision() {
    let history =
        History::default().then(&stream(), ProductEvent::from(Created { content: lamp() })).noted(&stream());
    assert_eq!(row::<Products>(&history, stream().id()).unwrap().revision, 1);
}

#[test]
fn a_noted_event_in_a_stream_of_another_category_creates_no_product() {
    let other = StreamName::new("stock", "A1");
    assert!(row::<Products>(&History::default().noted(&other), "A1").is_none());
}

#[test]
fn categories_of_older_events_are_converted_to_the_current_form() {
    let content = Content { category: "/Home / Lighting/".to_owned(), ..lamp() };
    let history = History::default().then(&stream(), ProductEvent::from(Created { content }));
    let row = row::<Products>(&history, stream().id()).unwrap();
    assert_eq!(row.content.category, "home/lighting");
    let columns = Products::columns(stream().id(), &row);
    assert_eq!(columns[2], Value::Text("home/lighting".to_owned()));
}

#[test]
fn the_search_text_is_in_lower_case() {
    assert_eq!(search_text(&lamp()), "édith lamp\nlamp-l\nlamp-s");
}
