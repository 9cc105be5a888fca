//! Field values of products with several variants, as set by earlier lines of the same file.
//!
//! If two lines of one product have different names, every import would change the name back and forth. The
//! shop sees only one batch of lines, so this module remembers the values of earlier batches.

use std::collections::HashMap;

use souk_command_api::import::{ImportLine, LineOutcome, LineResult, ProductValues};

use super::line::InputLine;

/// Values of earlier lines. It holds only products with SKUs that have not occurred in the file yet: no later
/// line can be about another product, because a SKU occurs only once in a file.
#[derive(Debug, Default)]
pub struct EarlierValues {
    /// Product id of each SKU that has not occurred yet.
    products: HashMap<String, String>,
    /// Values by product id.
    values: HashMap<String, ProductValues>,
}

impl EarlierValues {
    /// Refuses a line that sets a field of its product to another value than an earlier line.
    pub fn refuse_other_value(&self, line: &mut InputLine) {
        let Ok(product) = &line.product else { return };
        let Some(id) = product.skus.iter().find_map(|sku| self.products.get(sku)) else { return };
        self.refuse(line, id);
    }

    /// Records the values of a line that the shop accepted. If the shop refused the line because of another
    /// line of the batch, the message is replaced here: the shop does not know the line numbers of the file.
    pub fn record(&mut self, line: &mut InputLine, result: &LineResult) {
        let Some(id) = &result.id else { return };
        if result.outcome == LineOutcome::Refused {
            self.refuse(line, id);
            return;
        }
        let may_occur_again = !result.other_skus.is_empty() || self.values.contains_key(id);
        if !may_occur_again {
            return;
        }
        let Some(read) = read(line) else { return };
        self.values.entry(id.clone()).or_default().record(&read, line.number);
        let others = result.other_skus.iter().map(|sku| (sku.clone(), id.clone()));
        self.products.extend(others);
    }

    fn refuse(&self, line: &mut InputLine, id: &str) {
        let Some(values) = self.values.get(id) else { return };
        let Some(read) = read(line) else { return };
        if let Some(error) = values.conflict(&read) {
            line.product = Err(format!("{}: {}", error.pointer, error.detail));
        }
    }
}

/// Parses the line as the shop does. Returns `None` if the line sets no field of the product.
fn read(line: &InputLine) -> Option<ImportLine> {
    let line = ImportLine::read(line.product.as_ref().ok()?.json.as_bytes()).ok()?;
    (!line.amendment.product_fields().is_empty()).then_some(line)
}
