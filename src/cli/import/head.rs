//! The head of a CSV file: the columns and the sign that separates them.

use std::fmt::Write as _;

use souk_domain::text::quoted;

/// The signs that may separate columns, the usual one first.
const SEPARATORS: [u8; 4] = [b',', b';', b'\t', b'|'];
/// Unknown columns that a message names.
const UNKNOWN_SHOWN_MAX: usize = 5;
/// The columns, as a message lists them.
const KNOWN: &str = "sku, name, description, category, price, currency, active, attr.NAME";

/// A column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Column {
    /// The SKU of the variant.
    Sku,
    /// The name of the product.
    Name,
    /// The description of the product.
    Description,
    /// The category of the product.
    Category,
    /// The price of the variant.
    Price,
    /// The currency of the price.
    Currency,
    /// True for a product on sale.
    Active,
    /// An attribute of the product.
    Attribute(String),
    /// A column without a name, which has no values.
    Unnamed,
}

impl Column {
    /// The column of a name, in any case and with blanks around it.
    fn of(name: &str) -> Option<Self> {
        let name = name.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
        Some(match name.to_lowercase().as_str() {
            "" => Self::Unnamed,
            "sku" => Self::Sku,
            "name" => Self::Name,
            "description" => Self::Description,
            "category" => Self::Category,
            "price" => Self::Price,
            "currency" => Self::Currency,
            "active" => Self::Active,
            lower if lower.starts_with("attr.") => {
                let attribute = name.get("attr.".len()..)?.trim();
                if attribute.is_empty() {
                    return None;
                }
                Self::Attribute(attribute.to_owned())
            }
            _ => return None,
        })
    }
}

/// Reads the columns of a head. All that is wrong is said at once.
pub fn columns(cells: &[String]) -> Result<Vec<Column>, String> {
    let mut columns: Vec<Column> = Vec::new();
    let mut unknown = Vec::new();
    for (index, cell) in cells.iter().enumerate() {
        let Some(column) = Column::of(cell) else {
            unknown.push(format!("`{}`", quoted(cell)));
            continue;
        };
        let before = columns.iter().position(|known| *known == column && column != Column::Unnamed);
        if before.is_some() {
            return Err(format!(
                "column `{}` occurs twice; the second is column {}",
                quoted(cell.trim()),
                index + 1
            ));
        }
        columns.push(column);
    }
    if !unknown.is_empty() {
        let mut message = unknown.iter().take(UNKNOWN_SHOWN_MAX).cloned().collect::<Vec<_>>().join(", ");
        if unknown.len() > UNKNOWN_SHOWN_MAX {
            // Writing to a string never fails.
            let _ = write!(message, " and {} more", unknown.len() - UNKNOWN_SHOWN_MAX);
        }
        return Err(format!("columns that are not known: {message}; known are {KNOWN}"));
    }
    if !columns.contains(&Column::Sku) {
        return Err(format!("column `sku` is missing; known are {KNOWN}"));
    }
    Ok(columns)
}

/// The separator of a head: the one by which most of its columns are known.
pub fn separator(head: &str) -> u8 {
    let known = |separator: u8| {
        let cells = head.split(char::from(separator)).map(|cell| cell.trim().trim_matches('"'));
        cells.filter(|cell| !matches!(Column::of(cell), None | Some(Column::Unnamed))).count()
    };
    // Of several, `max_by_key` takes the last.
    SEPARATORS.into_iter().rev().max_by_key(|separator| known(*separator)).unwrap_or(b',')
}

/// The separator that a line of its own names, as spreadsheet programs write it: `sep=;`.
pub fn declared_separator(line: &str) -> Option<u8> {
    let line = line.trim().trim_matches('"');
    let sign = line.strip_prefix("sep=").or_else(|| line.strip_prefix("SEP="))?;
    SEPARATORS.into_iter().find(|separator| sign.as_bytes() == [*separator])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(head: &str) -> Result<Vec<Column>, String> {
        columns(&head.split(',').map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn heads_are_known_in_capitals_and_with_blanks() {
        let expected = vec![Column::Sku, Column::Price, Column::Attribute("Colour".into()), Column::Unnamed];
        assert_eq!(read(" SKU ,Price,ATTR. Colour,"), Ok(expected));
        assert_eq!(read("\u{feff}sku"), Ok(vec![Column::Sku]));
    }

    #[test]
    fn a_head_that_is_wrong_is_refused_in_one_message() {
        for (head, words) in [
            ("sku,price,Price", "column `Price` occurs twice"),
            ("sku,attr.a,attr.a ", "column `attr.a` occurs twice"),
            ("sku,colour,weight", "not known: `colour`, `weight`; known are sku, name"),
            ("sku,attr.", "not known: `attr.`"),
            ("name,price", "column `sku` is missing"),
            ("a,b,c,d,e,f,g", "`e` and 2 more"),
        ] {
            let message = read(head).unwrap_err();
            assert!(message.contains(words), "{head}: {message}");
        }
        assert!(read(&"x".repeat(100_000)).unwrap_err().len() < 400);
        // Attributes are told apart by case, as in the shop.
        assert!(read("sku,attr.a,attr.A").is_ok());
    }

    #[test]
    fn the_separator_is_the_one_that_fits_the_head() {
        for (head, expected) in [
            ("sku,name,price", b','),
            ("SKU;Name;Price", b';'),
            ("\"sku\";\"attr.a,b\";\"price\"", b';'),
            ("sku\tname", b'\t'),
            ("sku|name", b'|'),
            ("sku", b','),
            ("a;b;c", b','),
        ] {
            assert_eq!(char::from(separator(head)), char::from(expected), "{head}");
        }
        assert_eq!(declared_separator("sep=;\r"), Some(b';'));
        assert_eq!(declared_separator("sku;name"), None);
    }
}
