//! A made month of invoices, in the shape of the real ones: for a test where there is no real data.
//!
//! The same seed gives the same file. It has everything that is awkward in the real months: guests,
//! cancellations, bad-debt adjustments, zero and negative prices, prices of three decimals, one invoice of
//! over a thousand lines, SKUs that differ by case alone or stand between spaces, one SKU at two prices in
//! one invoice. Its totals are counted while it is made, not by the code that reads it back.

mod ledger;

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use flate2::Compression;
use flate2::write::GzEncoder;

use ledger::Ledger;

/// The month's name, and its file's.
const MONTH: &str = "2010-11";
/// Sale invoices, the one with over a thousand lines included.
const SALES: u64 = 1_500;
/// `C` invoices.
const CANCELLATIONS: u64 = 250;
/// Different products.
const SKUS: u64 = 2_400;
/// Lines of the largest invoice.
const LARGEST_INVOICE_LINES: u64 = 1_050;
/// One line in so many is of a SKU and invoice as the one before, at another price.
const SECOND_PRICE_ONE_IN: u64 = 300;

/// A linear congruential generator (Knuth's MMIX constants): enough for shapes, the same everywhere.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    fn one_in(&mut self, bound: u64) -> bool {
        self.below(bound) == 0
    }
}

/// Writes the month and its `totals.csv` into `folder`, and says where the month is.
pub(crate) fn write(folder: &Path, seed: u64) -> Result<PathBuf> {
    fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let file = folder.join(format!("{MONTH}.csv.gz"));
    let rows = csv::Writer::from_writer(GzEncoder::new(File::create(&file)?, Compression::fast()));
    let mut month = Month { dice: Dice(seed), ledger: Ledger::new(rows)? };
    month.fill()?;
    let totals = month.ledger.finish(MONTH)?;
    fs::write(folder.join("totals.csv"), totals)?;
    Ok(file)
}

struct Month {
    dice: Dice,
    ledger: Ledger<GzEncoder<File>>,
}

impl Month {
    fn fill(&mut self) -> Result<()> {
        for number in 0..SALES {
            let invoice = (530_000 + number).to_string();
            let lines = if number == SALES / 2 { LARGEST_INVOICE_LINES } else { 1 + self.dice.below(48) };
            self.sale(&invoice, lines)?;
            if number % (SALES / CANCELLATIONS) == 0 {
                self.cancellation(&format!("C{}", 540_000 + number))?;
            }
        }
        self.ledger.other("A563185", "B", "Adjust bad debt", 1, "-11062.06")?;
        self.ledger.other("A563186", "B", "Adjust bad debt", 1, "11062.06")
    }

    fn sale(&mut self, invoice: &str, lines: u64) -> Result<()> {
        let customer = if self.dice.one_in(10) { String::new() } else { self.customer() };
        let first_sku = self.dice.below(SKUS);
        for line in 0..lines {
            // Different SKUs within the invoice, since the stride and the number of SKUs have no factor in common.
            let sku = (first_sku + line * 7) % SKUS;
            let thousandths = self.price_thousandths(sku);
            let units = self.units();
            let description = self.description(sku);
            let sku = sku_text(sku);
            self.ledger.sale(invoice, &sku, &description, units, thousandths, &customer)?;
            if self.dice.one_in(SECOND_PRICE_ONE_IN) {
                self.ledger.sale(invoice, &sku, &description, 1, thousandths + 1_000, &customer)?;
                self.ledger.sale(invoice, &format!(" {sku} "), &description, 2, thousandths, &customer)?;
            }
        }
        if self.dice.one_in(20) {
            self.ledger.other(invoice, &sku_text(first_sku), "", 1, "0.0")?;
            self.ledger.other(invoice, &sku_text(first_sku), "damaged", -3, "0.0")?;
            self.ledger.worth_nothing(invoice, "PADS", "PADS TO MATCH ALL CUSHIONS")?;
        }
        Ok(())
    }

    fn cancellation(&mut self, invoice: &str) -> Result<()> {
        let customer = self.customer();
        for _ in 0..=self.dice.below(4) {
            let sku = self.dice.below(SKUS);
            let (units, thousandths) = (1 + self.dice.below(12), self.price_thousandths(sku));
            let description = self.description(sku);
            self.ledger.goods_back(invoice, &sku_text(sku), &description, units, thousandths, &customer)?;
        }
        Ok(())
    }

    fn customer(&mut self) -> String {
        format!("{}.0", 12_346 + self.dice.below(900))
    }

    fn units(&mut self) -> u64 {
        if self.dice.one_in(5_000) { 10_000 + self.dice.below(9_000) } else { 1 + self.dice.below(24) }
    }

    /// Whole pence nearly always; some change within the month, a few have three decimals.
    fn price_thousandths(&mut self, sku: u64) -> u64 {
        let usual = 290 + (sku * 37 % 1_200) * 10;
        if self.dice.one_in(4_000) {
            usual + 5
        } else if self.dice.one_in(50) {
            usual + 100
        } else {
            usual
        }
    }

    fn description(&mut self, sku: u64) -> String {
        const COLOURS: [&str; 4] = ["RED", "BLUE", "CREAM", "SET OF 6"];
        const THINGS: [&str; 5] = ["LANTERN", "TEA TOWEL, LINEN", "MUG", "PAPER CHAIN \"RETRO\"", "DOORMAT"];
        if self.dice.one_in(200) {
            return String::new();
        }
        let colour = COLOURS[usize::try_from(sku % 4).expect("below 4")];
        let thing = THINGS[usize::try_from(sku % 5).expect("below 5")];
        format!("{colour} {thing} {sku}")
    }
}

/// Every fortieth SKU differs from its neighbour by case alone; one has a space in it.
fn sku_text(sku: u64) -> String {
    match sku % 40 {
        1 => format!("{}a", 20_000 + sku - 1),
        0 => format!("{}A", 20_000 + sku),
        2 if sku == 2 => "BANK CHARGES".to_owned(),
        _ => (20_000 + sku).to_string(),
    }
}
