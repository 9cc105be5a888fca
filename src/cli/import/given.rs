//! Values that the lines of a file give to the fields of products with several variants.
//!
//! Two lines of one product that give its name different values would change it back and forth at every import. The shop
//! sees one batch of lines alone, so what the batches before gave is remembered here.

use std::collections::HashMap;

use souk_command_api::import::{GivenValues, ImportLine, LineOutcome, LineResult};

use super::line::InputLine;

/// Values given by lines, for products with variants that those lines did not name: only they can be met again, since a
/// SKU stands in a file once.
#[derive(Debug, Default)]
pub struct GivenByLines {
    /// The product of each SKU that its lines have not named yet.
    products: HashMap<String, String>,
    /// The values, by product.
    values: HashMap<String, GivenValues>,
}

impl GivenByLines {
    /// Refuses a line that gives its product another value than an earlier line.
    pub fn refuse_other_value(&self, line: &mut InputLine) {
        let Ok(product) = &line.product else { return };
        let Some(id) = product.skus.iter().find_map(|sku| self.products.get(sku)) else { return };
        self.refuse(line, id);
    }

    /// Notes the values of a line that the shop has taken. A line that it refused for a value that another line of the
    /// batch gave is refused here: the shop does not know the lines of the file.
    pub fn note(&mut self, line: &mut InputLine, result: &LineResult) {
        let Some(id) = &result.id else { return };
        if result.outcome == LineOutcome::Refused {
            self.refuse(line, id);
            return;
        }
        let is_met_again = !result.other_skus.is_empty() || self.values.contains_key(id);
        if !is_met_again {
            return;
        }
        let Some(read) = read(line) else { return };
        self.values.entry(id.clone()).or_default().note(&read, line.number);
        let others = result.other_skus.iter().map(|sku| (sku.clone(), id.clone()));
        self.products.extend(others);
    }

    fn refuse(&self, line: &mut InputLine, id: &str) {
        let (Some(given), Some(read)) = (self.values.get(id), read(line)) else { return };
        if let Some(error) = given.conflict(&read) {
            line.product = Err(format!("{}: {}", error.pointer, error.detail));
        }
    }
}

/// The line as the shop reads it, if it gives its product any value.
fn read(line: &InputLine) -> Option<ImportLine> {
    let line = ImportLine::read(line.product.as_ref().ok()?.json.as_bytes()).ok()?;
    (!line.amendment.product_fields().is_empty()).then_some(line)
}
