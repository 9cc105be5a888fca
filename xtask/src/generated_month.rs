//! Generator of a month of invoices in the shape of the real data, for tests on a machine without real data.
//!
//! The same seed gives the same file. The file contains all difficult cases of the real months: guests,
//! cancellations, bad-debt adjustments, zero and negative prices, prices with three decimals, one invoice of
//! over a thousand lines, SKUs that differ only in upper and lower case or are surrounded by spaces, and one
//! SKU at two prices in one invoice. The generator counts the totals itself, independently of the code that
//! reads the file.

mod ledger;

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use flate2::Compression;
use flate2::write::GzEncoder;

use ledger::Ledger;

/// Name of the month and of its file.
const MONTH: &str = "2010-11";
/// Number of sale invoices, including the largest one.
const SALES: u64 = 1_500;
/// Number of cancellations: invoices whose number starts with `C`.
const CANCELLATIONS: u64 = 250;
/// Number of different products.
const SKUS: u64 = 2_400;
/// Number of lines of the largest invoice.
const LARGEST_INVOICE_LINES: u64 = 1_050;
/// On average, one line in this many is followed by a line with the same SKU at another price, in the same
/// invoice.
const SECOND_PRICE_ONE_IN: u64 = 300;

/// Linear congruential generator (Knuth's MMIX constants). It is good enough here and gives the same numbers
/// on every machine.
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

/// Writes the month and its `totals.csv` into `folder`, and returns the path of the month.
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
            // The SKUs of an invoice differ, because 7 and the number of SKUs have no common factor.
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
            self.ledger.zero_price(invoice, "PADS", "PADS TO MATCH ALL CUSHIONS")?;
        }
        Ok(())
    }

    fn cancellation(&mut self, invoice: &str) -> Result<()> {
        let customer = self.customer();
        for _ in 0..=self.dice.below(4) {
            let sku = self.dice.below(SKUS);
            let units = 1 + self.dice.below(12);
            let thousandths = self.price_thousandths(sku);
            let description = self.description(sku);
            self.ledger.returned(invoice, &sku_text(sku), &description, units, thousandths, &customer)?;
        }
        Ok(())
    }

    fn customer(&mut self) -> String {
        format!("{}.0", 12_346 + self.dice.below(900))
    }

    fn units(&mut self) -> u64 {
        if self.dice.one_in(5_000) { 10_000 + self.dice.below(9_000) } else { 1 + self.dice.below(24) }
    }

    /// Price of a SKU: nearly always in whole pence; some prices change within the month, a few have three
    /// decimals.
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

/// Text of a SKU. In every forty SKUs, two differ only in upper and lower case. One SKU of the month contains
/// a space.
fn sku_text(sku: u64) -> String {
    match sku % 40 {
        1 => format!("{}a", 20_000 + sku - 1),
        0 => format!("{}A", 20_000 + sku),
        2 if sku == 2 => "BANK CHARGES".to_owned(),
        _ => (20_000 + sku).to_string(),
    }
}
