//! Compares the totals that the shop reports at the end of a sales trial with the totals of the files.
//!
//! The order list gives the numbers of orders, lines and reservations. The sales report gives the numbers of
//! orders and units, and the revenue. The stock list gives the stock. Only the orders of this trial count:
//! the sales before the trial are subtracted from the report.

use std::collections::{HashMap, HashSet};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::shop::{Call, ShopClient};

use super::books::Books;
use super::invoices::Sale;
use super::trade::TradeResults;

/// Totals of the sales report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sales {
    orders: i64,
    units: i64,
    revenue_minor: i64,
}

/// Totals of the order list.
#[derive(Default)]
struct ListTotals {
    orders: u64,
    lines: u64,
    reservations: u64,
}

/// Reads the totals of the sales report. The report contains all changes up to the highest position that this
/// client has seen.
pub(super) async fn sales_so_far(client: &ShopClient) -> Result<Sales> {
    let path = "/api/orders/admin/sales";
    let call = Call::get(path).min_position(client.highest_position()).wait_s(30);
    let response = client.send(call).await?.success(path)?;
    let number = |pointer: &str| {
        let value = response.body.pointer(pointer).and_then(Value::as_i64);
        value.with_context(|| format!("no number at {pointer} in {}", response.body))
    };
    Ok(Sales {
        orders: number("/total/orders")?,
        units: number("/total/units")?,
        revenue_minor: number("/total/revenue/amount")?,
    })
}

/// Returns all differences between the shop and the files.
pub(super) async fn compare(
    client: &ShopClient,
    books: &Books,
    before: &Sales,
    traded: &TradeResults,
) -> Result<Vec<String>> {
    let mut differences = Vec::new();
    let mut check_equal = |name: &str, shop: i64, file: i64| {
        if shop != file {
            differences.push(format!("{name}: the shop has {shop}, the files have {file}"));
        }
    };
    let totals = books.totals.figures().into_iter().collect::<HashMap<_, _>>();
    let after = sales_so_far(client).await?;
    check_equal("orders in the sales report", after.orders - before.orders, totals["orders"]);
    check_equal("units in the sales report", after.units - before.units, books.totals.units);
    let revenue = after.revenue_minor - before.revenue_minor;
    check_equal("revenue in the sales report, minor units", revenue, books.totals.revenue_minor);

    let orders = client.list("/api/orders", client.highest_position()).await?;
    let (listed, wrong_orders) = count_orders(&orders, traded)?;
    check_equal("orders in the list", signed(listed.orders), totals["orders"]);
    check_equal("order lines in the list", signed(listed.lines), totals["order lines"]);
    check_equal("reservations in the list", signed(listed.reservations), totals["reservations"]);
    differences.extend(wrong_orders);

    let stock = client.list("/api/inventory/stock", client.highest_position()).await?;
    differences.extend(compare_stock(&stock, books));
    Ok(differences)
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).expect("a list has fewer than 2^63 rows")
}

/// Counts the orders of this trial and compares each with its invoice.
fn count_orders(items: &[Value], traded: &TradeResults) -> Result<(ListTotals, Vec<String>)> {
    let mut listed = ListTotals::default();
    let mut wrong = Vec::new();
    let mut seen = HashSet::new();
    for item in items {
        let id = item["id"].as_str().context("an order in the list has no id")?;
        let Some(sale) = traded.orders.get(id) else { continue };
        if !seen.insert(id) {
            wrong.push(format!("order {id} is in the list twice"));
            continue;
        }
        let lines =
            item["lines"].as_array().with_context(|| format!("order {id} is listed without lines"))?;
        let skus: HashSet<_> = lines.iter().filter_map(confirmed_sku).collect();
        listed.orders += 1;
        listed.lines += lines.len() as u64;
        listed.reservations += skus.len() as u64;
        wrong.extend(difference_from_invoice(item, lines, sale));
    }
    Ok((listed, wrong))
}

fn confirmed_sku(line: &Value) -> Option<&str> {
    if line["reservation"] == "CONFIRMED" { line["sku"].as_str() } else { None }
}

fn difference_from_invoice(order: &Value, lines: &[Value], sale: &Sale) -> Option<String> {
    let total: i64 = sale.lines.iter().map(|line| line.units * line.price_minor).sum();
    let units: i64 = sale.lines.iter().map(|line| line.units).sum();
    let listed_units: i64 = lines.iter().filter_map(|line| line["quantity"].as_i64()).sum();
    let customer = order["customerId"].as_str();
    let is_equal = order["total"]["amount"] == total
        && listed_units == units
        && order["status"] == "CONFIRMED"
        && customer == sale.customer.as_deref();
    (!is_equal).then(|| {
        let status = &order["status"];
        let listed_total = &order["total"]["amount"];
        format!(
            "order {} of invoice {}: {status}, total {listed_total}, {listed_units} units, customer {customer:?}; the \
             invoice has total {total}, {units} units, customer {:?}",
            order["id"], sale.invoice, sale.customer
        )
    })
}

fn compare_stock(items: &[Value], books: &Books) -> Vec<String> {
    let by_sku: HashMap<&str, &Value> =
        items.iter().filter_map(|item| item["sku"].as_str().map(|sku| (sku, item))).collect();
    let mut differences = Vec::new();
    for (sku, movement) in &books.movements {
        let Some(item) = by_sku.get(sku.as_str()) else {
            differences.push(format!("stock of {sku}: not in the list"));
            continue;
        };
        if item["onHand"] != movement.left() || item["reserved"] != 0 {
            differences.push(format!(
                "stock of {sku}: the shop has {} on hand and {} reserved, the files have {} and 0",
                item["onHand"],
                item["reserved"],
                movement.left()
            ));
        }
    }
    differences
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::trial::invoices::{Invoices, Return, SaleLine};

    fn sale() -> Sale {
        let line = |units, price_minor| SaleLine { sku: "A".into(), units, price_minor };
        Sale { invoice: "1".into(), customer: Some("7".into()), lines: vec![line(2, 100), line(1, 150)] }
    }

    fn order() -> Value {
        json!({
            "id": "o1", "status": "CONFIRMED", "customerId": "7", "total": {"amount": 350, "currency": "GBP"},
            "lines": [
                {"sku": "A", "quantity": 2, "reservation": "CONFIRMED"},
                {"sku": "A", "quantity": 1, "reservation": "CONFIRMED"},
            ],
        })
    }

    fn traded() -> TradeResults {
        TradeResults { orders: HashMap::from([("o1".to_owned(), sale())]), failures: Vec::new() }
    }

    #[test]
    fn one_sku_at_two_prices_is_two_lines_and_one_reservation() {
        let (listed, wrong) = count_orders(&[order(), json!({"id": "another order"})], &traded()).unwrap();
        assert_eq!((listed.orders, listed.lines, listed.reservations), (1, 2, 1));
        assert!(wrong.is_empty(), "{wrong:?}");
    }

    #[test]
    fn every_difference_between_an_order_and_its_invoice_is_found() {
        let changes = [
            ("/status", json!("CANCELLED")),
            ("/customerId", Value::Null),
            ("/total/amount", json!(351)),
            ("/lines/1/quantity", json!(2)),
        ];
        for (pointer, value) in changes {
            let mut changed = order();
            *changed.pointer_mut(pointer).unwrap() = value;
            assert_eq!(count_orders(&[changed], &traded()).unwrap().1.len(), 1, "{pointer}");
        }
        assert_eq!(count_orders(&[order(), order()], &traded()).unwrap().1.len(), 1);
    }

    #[test]
    fn stock_must_equal_counted_minus_sold_plus_returned_units() {
        let returns = vec![Return { invoice: "C2".into(), sku: "A".into(), units: 4 }];
        let books = Books::of(&[Invoices { sales: vec![sale()], returns, ..Invoices::default() }]);
        let stock =
            |on_hand: i64, reserved: i64| json!({"sku": "A", "onHand": on_hand, "reserved": reserved});
        assert!(compare_stock(&[stock(4, 0)], &books).is_empty());
        assert_eq!(compare_stock(&[stock(3, 0)], &books).len(), 1);
        assert_eq!(compare_stock(&[stock(4, 1)], &books).len(), 1);
        assert_eq!(compare_stock(&[], &books).len(), 1);
    }
}
